#!/usr/bin/env python3
"""The relay's page in Chromium: browser.py HTTP_URL HTTPS_URL URL_OF_ANOTHER_AUTHORITY FOLDER.

Drives Chromium through its DevTools protocol, on a pipe: JSON objects with a NUL byte after each. Says what
is not as it should be, and exits 1. Screenshots are left in the folder.
"""

import base64
import json
import os
import subprocess
import sys

WORDS = [
    "programs use this address", "How to pair two machines", "pair: create", "pair: join", "jmesh apply",
    "--code 'laptop=CODE'", "81-zephyr-night-climb#K7QF-", "never goes to a relay", "plain: true",
]
INJECTED = b"""<script>document.title = "injected"</script><img src="/x.png" onerror="document.title = 'injected'">
<style>body { display: none }</style><iframe src="/"></iframe></main>"""


class Browser:
    def __init__(self, folder):
        commands, events = os.pipe(), os.pipe()
        self.process = subprocess.Popen(
            ["sh", "-c", 'exec 3<&%d 4>&%d; exec "$@"' % (commands[0], events[1]), "sh", "chromium",
             "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--disable-extensions", "--remote-debugging-pipe", "--user-data-dir=" + folder + "/profile"],
            pass_fds=(commands[0], events[1]), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(folder + "/chromium.log", "w", encoding="utf-8"))
        os.close(commands[0])
        os.close(events[1])
        self.out, self.input = os.fdopen(commands[1], "wb", 0), os.fdopen(events[0], "rb")
        self.number, self.session, self.events, self.buffer = 0, None, [], b""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(domain + ".enable")

    def receive(self):
        while b"\0" not in self.buffer:
            text = self.input.read1(65536)
            if not text:
                sys.exit("browser.py: Chromium ended")
            self.buffer += text
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.out.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit("browser.py: %s: %s" % (method, answer["error"]))
                return answer["result"]
            self.events.append(answer)

    def wait(self, method):
        """Until that happens; what comes meanwhile is kept."""
        while True:
            for event in self.events:
                if event.get("method") == method:
                    return event["params"]
            self.events.append(self.receive())

    def all(self, method):
        return [event["params"] for event in self.events if event.get("method") == method]

    def open(self, url):
        """Loads the page; the events are of this page alone then. An error's name, or None."""
        self.events = []
        error = self.call("Page.navigate", url=url).get("errorText")
        if error is None:
            self.wait("Page.loadEventFired")
        return error

    def ask(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            sys.exit("browser.py: %s: %s" % (expression, result["exceptionDetails"]["text"]))
        return result["result"].get("value")

    def picture(self, path):
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        with open(path, "wb") as out:
            out.write(base64.b64decode(shot["data"]))

    def requests(self):
        """What was asked for, but for what the policy held back."""
        held = [event["requestId"] for event in self.all("Network.loadingFailed") if event.get("blockedReason") == "csp"]
        return [event["request"]["url"] for event in self.all("Network.requestWillBeSent")
                if event["requestId"] not in held and not event["request"]["url"].startswith("data:")]

    def complaints(self):
        said = [event["entry"]["text"] for event in self.all("Log.entryAdded")]
        said += [event["type"] for event in self.all("Runtime.consoleAPICalled")]
        return said + [event["exceptionDetails"]["text"] for event in self.all("Runtime.exceptionThrown")]


problems = []


def same(what, wanted, got):
    if wanted != got:
        problems.append("%s: %r, not %r" % (what, got, wanted))


def check_page(browser, url):
    same(url, None, browser.open(url))
    same("requests for " + url, [url], browser.requests())
    same("complaints about " + url, [], browser.complaints())
    text = browser.ask("document.body.innerText")
    for words in WORDS:
        if words not in text:
            problems.append("%s does not say '%s'" % (url, words))
    same("scripts", 0, browser.ask("document.scripts.length"))
    same("what is loaded", 0, browser.ask("performance.getEntriesByType('resource').length"))
    # Without it a browser with a window asks for /favicon.ico.
    same("icon", "data:,", browser.ask("document.querySelector('link[rel=icon]').href"))
    same("cookies", "", browser.ask("document.cookie"))
    return browser.wait("Network.responseReceived")["response"]


def check_width(browser, folder, width):
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=True)
    same("width", width, browser.ask("document.documentElement.scrollWidth"))
    same("what is wider than %d px" % width, "", browser.ask(
        "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth ||"
        "e.scrollWidth > e.clientWidth && getComputedStyle(e).display === 'block').map(e => e.tagName).join()"))
    same("small text", "", browser.ask(
        "[...document.querySelectorAll('body *')].filter(e => parseFloat(getComputedStyle(e).fontSize) < 14)"
        ".map(e => e.tagName).join()"))
    browser.picture("%s/%d.png" % (folder, width))
    browser.call("Emulation.clearDeviceMetricsOverride")


def check_colours(browser, folder):
    for scheme, colour in (("light", "rgb(0, 0, 0)"), ("dark", "rgb(255, 255, 255)")):
        browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        same("text in the " + scheme, colour, browser.ask("getComputedStyle(document.body).color"))
        browser.picture("%s/%s.png" % (folder, scheme))
    same("background of examples", "rgba(136, 136, 136, 0.133)",
         browser.ask("getComputedStyle(document.querySelector('pre')).backgroundColor"))


def inject(browser, url, policy):
    """Loads the page with more in it, as somebody on the way may put there; with its policy or without."""
    browser.events = []
    browser.call("Fetch.enable", patterns=[{"urlPattern": url, "requestStage": "Response"}])
    browser.number += 1
    browser.out.write(json.dumps({"id": browser.number, "method": "Page.navigate", "params": {"url": url},
                                  "sessionId": browser.session}).encode() + b"\0")
    paused = browser.wait("Fetch.requestPaused")
    body = browser.call("Fetch.getResponseBody", requestId=paused["requestId"])
    text = base64.b64decode(body["body"]) if body["base64Encoded"] else body["body"].encode()
    headers = [header for header in paused["responseHeaders"]
               if header["name"].lower() not in ("content-length", "" if policy else "content-security-policy")]
    changed = text.replace(b"</main>", INJECTED)
    same("what is injected", True, changed != text)
    browser.call("Fetch.fulfillRequest", requestId=paused["requestId"], responseCode=200, responseHeaders=headers,
                 body=base64.b64encode(changed).decode())
    browser.call("Fetch.disable")
    browser.wait("Page.loadEventFired")


def check_policy(browser, url):
    inject(browser, url, True)
    same("title of the page with a script in it", "jmesh relay", browser.ask("document.title"))
    same("display with a style in it", "block", browser.ask("getComputedStyle(document.body).display"))
    same("what the page with an image and a frame in it loads", [url], browser.requests())
    refused = " ".join(browser.complaints())
    for words in ("script-src", "style-src", "img-src", "frame-src"):
        if words not in refused:
            problems.append("Chromium does not say that it refuses %s: %s" % (words, refused))
    # Or the above would say nothing.
    inject(browser, url, False)
    same("title without the policy", "injected", browser.ask("document.title"))


def main():
    plain, secure, other, folder = sys.argv[1:]
    browser = Browser(folder)
    check_page(browser, plain)
    check_width(browser, folder, 360)
    check_colours(browser, folder)
    check_policy(browser, plain)
    response = check_page(browser, secure)
    same("security", "secure", response["securityState"])
    same("protocol", "TLS 1.3", response["securityDetails"]["protocol"])
    same("another authority's certificate", "net::ERR_CERT_AUTHORITY_INVALID", browser.open(other))
    browser.call("Browser.close")
    browser.process.wait(10)
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


main()
