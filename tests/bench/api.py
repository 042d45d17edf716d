"""The API of the benchmark: one nginx that answers every call alike, by the first part of the path at once, late,
or not more often than so many times a second."""

import http.client
import json
import pathlib
import re
import shutil
import os
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import Process, free_port, tail, wait_until  # noqa: E402
from tls import Authority  # noqa: E402

ECHO_MODULE = pathlib.Path("/usr/lib/nginx/modules/ngx_http_echo_module.so")
REPLY = '{"status":"200","message":"OK","data":{}}'
LIMIT = 500  # calls a second under /limited
LATENCIES_MS = (2, 50)

CONF = """
load_module {echo};
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    log_format seen escape=json '$msec $server_protocol $request_body';
    underscores_in_headers on;
    keepalive_requests 100000000;
    client_body_buffer_size 16k;
    default_type application/json;
    limit_req_zone $server_name zone=api:1m rate={limit}r/s;
    limit_req_status 429;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
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
}}
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
        self.port, self.tls_port = free_port(), free_port()
        authority = Authority(folder / "ca", "benchmark")
        certificate, key = authority.certificate("api", "IP:127.0.0.1")
        self.ca_file = authority.ca_file
        late = "".join(LATE.format(ms=ms, seconds=ms / 1000, reply=REPLY, folder=folder) for ms in LATENCIES_MS)
        (folder / "nginx.conf").write_text(CONF.format(
            folder=folder, port=self.port, tls_port=self.tls_port, certificate=certificate, key=key, reply=REPLY,
            limit=LIMIT, burst=LIMIT // 5, late=late, echo=ECHO_MODULE))
        nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        self.process = Process("nginx", [nginx, "-p", folder, "-e", folder / "error.log", "-c", folder / "nginx.conf"],
                               folder)
        self._asked = 0
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        wait_until("nginx to answer", self._answers, show=lambda: tail(folder / "error.log"))

    def _answers(self):
        self.process.check_running()
        try:
            return self.requests() >= 0
        except OSError:
            self._connection.close()
            return False

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
