"""An nginx of our own: one process without privileges, everything below its own folder."""

import os
import pathlib
import shutil
import socket

from harness import Process, free_port, tail, wait_until

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")

# Without a master: the kernel ends one process with us, a killed master would leave its worker behind. nginx drops
# headers with an underscore, so `api_key`, unless it is told otherwise.
CONF = """
{modules}
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log {level};
events {{ worker_connections {connections}; }}
http {{
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    underscores_in_headers on;
{http}
}}
"""


class Nginx:
    """HTTP is the text of the section of that name; {port}, {tls_port}, and {folder} stand for what they say."""

    def __init__(self, folder, http, level="info", connections=512, modules=(), **words):
        self.folder = pathlib.Path(folder)
        self.port, self.tls_port = free_port(), free_port()
        self.error_log = self.folder / "nginx-error.log"
        conf = self.folder / "nginx.conf"
        conf.write_text(CONF.format(
            folder=folder, level=level, connections=connections, modules="".join(f"load_module {path};" for path in modules),
            http=http.format(folder=folder, port=self.port, tls_port=self.tls_port, **words)))
        self.process = Process("nginx", [NGINX, "-p", folder, "-e", self.error_log, "-c", conf], folder)
        wait_until("nginx to listen", lambda: self._listens(self.port if "{port}" in http else self.tls_port),
                   show=lambda: tail(self.error_log))

    def _listens(self, port):
        self.process.check_running()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0
