# jmesh for macOS, where it drives a FreeBSD host, or Jailrun's virtual machine, through ssh.
#
# Where jmesh is published is the publisher's to fill in: `homepage`, and `url` and `sha256` of the
# file that `gmake dist` makes. Until then the formula is built from a repository that the environment names:
#
#   HOMEBREW_JMESH_GIT=file:///path/to/jmesh brew install --HEAD ./packaging/homebrew/jmesh.rb
class Jmesh < Formula
  desc "Private mesh between the jails of several machines, from one file"
  license "BSD-2-Clause"
  head do
    url ENV.fetch("HOMEBREW_JMESH_GIT", "file://#{File.expand_path("../..", __dir__)}"),
        using: :git, branch: "main"
  end

  depends_on "make" => :build
  depends_on "pkgconf" => :build
  depends_on "cjson"
  depends_on "curl"
  depends_on "gnutls"
  depends_on "hiredis"
  depends_on "libcyaml"
  depends_on "libmicrohttpd"
  depends_on "libsodium"
  depends_on "libyaml"

  def install
    # macOS's own make is GNU make 3.81; Homebrew's newer one is called gmake.
    system "gmake", "WERROR="
    system "gmake", "install", "WERROR=", "PREFIX=#{prefix}", "BASHDIR=#{bash_completion}",
           "EXAMPLESDIR=#{pkgshare}/examples"
  end

  test do
    (testpath/"mesh.yaml").write <<~YAML
      version: 1
      name: laptop
    YAML
    system bin/"jmesh", "validate", "mesh.yaml"
  end
end
