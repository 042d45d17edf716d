"""The API of the benchmark: one nginx that answers every call alike, by the first part of the path at once, late,
or not more often than so many times a second."""

import http.client
import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from nginx import Nginx  # noqa: E402
from tls import Authority  # noqa: E402

ECHO_MODULE = pathlib.Path("/usr/lib/nginx/modules/ngx_http_echo_module.so")
REPLY = '{"status":"200","message":"OK","data":{}}'
LIMIT = 500  # calls a second under /limited
LATENCIES_MS = (2, 50)

HTTP = """
    access_log off;
    log_format seen escape=json '$msec $server_protocol $request_body';
    keepalive_requests 100000000;
    client_body_buffer_size 16k;
    default_type application/json;
    limit_req_zone $server_name zone=api:1m rate={limit}r/s;
    limit_req_status 429;
    server {{
        listen 127.0.0.1:{port};
        listen 127.0.0.1:{tls_port} ssl http2;
        http2_max_concurrent_streams 1024;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        location = /status {{ stub_status; }}
        location /instant/ {{ return 200 '{reply}'; }}
        location /seen/instant/ {{ access_log {folder}/seen.log seen; echo_read_request_body; echo '{reply}'; }}
        location /limited/ {{
            limit_req zone=api burst={burst} nodelay;
            error_page 429 = @later;
            echo '{reply}';
        }}
        location @later {{ add_header Retry-After 1 always; return 429 '{{"status":"error"}}'; }}
{late}    }}
"""
LATE = """        location /{ms}ms/ {{ echo_sleep {seconds}; echo '{reply}'; }}
        location /seen/{ms}ms/ {{
            access_log {folder}/seen.log seen; echo_read_request_body; echo_sleep {seconds}; echo '{reply}';
        }}
"""


class Api:
    """base("instant") and the like are what the programs get as base URL; under base("seen/instant") each call
    leaves a line in a log as its reply goes out."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        authority = Authority(folder / "ca", "benchmark")
        certificate, key = authority.certificate("api", "IP:127.0.0.1")
        self.ca_file = authority.ca_file
        late = "".join(LATE.format(ms=ms, seconds=ms / 1000, reply=REPLY, folder=folder) for ms in LATENCIES_MS)
        self.nginx = Nginx(folder, HTTP, level="crit", connections=8192, modules=[ECHO_MODULE], certificate=certificate,
                           key=key, reply=REPLY, limit=LIMIT, burst=LIMIT // 5, late=late)
        self.port, self.tls_port = self.nginx.port, self.nginx.tls_port
        self._asked = 0
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def base(self, path, tls=False):
        return f"https://127.0.0.1:{self.tls_port}/{path}" if tls else f"http://127.0.0.1:{self.port}/{path}"

    def requests(self):
        """How many requests have been answered so far, those of this method left out."""
        self._connection.request("GET", "/status")
        text = self._connection.getresponse().read().decode()
        self._asked += 1
        return int(re.search(r"\n (\d+) (\d+) (\d+)", text)[3]) - self._asked

    def forget_seen(self):
        (self.folder / "seen.log").write_text("")

    def seen(self):
        """[(when the reply went out, protocol, body)] of the calls under /seen/ since forget_seen."""
        text = (self.folder / "seen.log").read_text()
        parts = (line.split(" ", 2) for line in text[:text.rfind("\n") + 1].splitlines())
        return [(float(at), protocol, json.loads(f'"{body}"')) for at, protocol, body in parts]
