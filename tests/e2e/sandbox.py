"""The stand-in API, build/sendx-sandbox: started per test, asked through its control paths."""

import http.client
import json
import urllib.parse

from harness import BUILD, HANG_GUARD_S, WRAP, Process, tail, wait_until

# Long and unlike any other text, since tests look for it in logs.
API_KEY = "key-8f3c1b7a9e5d2460"
TEAM_ID = "team-71a"
PAGE = 20000


class Sandbox:
    def __init__(self, folder, listen="127.0.0.1:0", max_requests=1_000_000):
        self.process = Process("sandbox", [*WRAP, BUILD / "sendx-sandbox", "--listen", listen,
                                           "--api-key", API_KEY, "--team-id", TEAM_ID,
                                           "--max-requests", str(max_requests)], folder)

        def ready():
            self.process.check_running()
            line = self.process.out_path.read_text()
            return line if line.endswith("\n") else None
        line = wait_until("sandbox.ready", ready, show=lambda: tail(self.process.log_path))
        words = line.split()
        assert words[0] == "sandbox.ready", f"unexpected first line of the sandbox: {line!r}"
        self.address = dict(word.split("=", 1) for word in words[1:])["api"].removeprefix("http://")

    def base_url(self, api="v1", address=None, scheme="http"):
        path = {"v1": "/api/v1", "rest": "/api/v1/rest"}[api]
        return f"{scheme}://{address or self.address}{path}"

    def stop(self):
        self.process.send(15)
        code = self.process.wait()
        assert code == 0, f"the sandbox ended with {code}:\n{tail(self.process.log_path)}"

    # --- control ---------------------------------------------------------------------------------

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.address, timeout=HANG_GUARD_S)
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body),
                               headers={"Content-Type": "application/json"})
            reply = connection.getresponse()
            text = reply.read().decode()
        finally:
            connection.close()
        assert 200 <= reply.status < 300, f"the sandbox answers {method} {path} with {reply.status}: {text}"
        return json.loads(text) if text.strip() else None

    def contacts(self):
        """{e-mail: contact}"""
        return {contact["email"]: contact for contact in self.ask("GET", "/_sandbox/contacts")["contacts"]}

    def contact(self, email):
        found = self.ask("GET", "/_sandbox/contacts?email=" + urllib.parse.quote(email, safe=""))["contacts"]
        return found[0] if found else None

    def request_pages(self, after=0):
        """Every request since `after`, in the order in which they came in, some at a time."""
        while True:
            page = self.ask("GET", f"/_sandbox/requests?after={after}&limit={PAGE}")
            assert page["dropped"] == 0, "the sandbox's request log was too small"
            if not page["requests"]:
                return
            yield page["requests"]
            after = page["requests"][-1]["seq"]

    def requests(self, after=0):
        return [request for page in self.request_pages(after) for request in page]

    def applied(self, after=0):
        """The requests that changed the contacts, in order."""
        return [request for request in self.requests(after) if request["applied"]]

    def last_seq(self):
        return self.ask("GET", "/_sandbox/requests?after=999999999999&limit=1")["last"]

    def triggers(self, after=0):
        found = []
        while True:
            page = self.ask("GET", f"/_sandbox/triggers?after={after}&limit={PAGE}")["triggers"]
            if not page:
                return found
            found += page
            after = page[-1]["seq"]

    def stats(self):
        return self.ask("GET", "/_sandbox/stats")

    def fault(self, **spec):
        """Starts a fault (see the sandbox's --help) and returns its id."""
        return self.ask("POST", "/_sandbox/faults", spec)["id"]

    def fault_hits(self, fault_id):
        faults = self.ask("GET", "/_sandbox/faults")["faults"]
        return sum(fault["hits"] for fault in faults if fault["id"] == fault_id)

    def end_faults(self, fault_id=None):
        self.ask("DELETE", "/_sandbox/faults" + (f"?id={fault_id}" if fault_id is not None else ""))

    def check_no_overlap(self):
        overlapping = [request for request in self.requests() if request["overlap"]]
        assert not overlapping, (
            f"{len(overlapping)} requests came in while another of the same contact was open, e.g. {overlapping[0]}")
