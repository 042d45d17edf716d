"""Certificates of our own and an nginx that ends TLS in front of the sandbox."""

import os
import shutil
import socket
import subprocess

from harness import HANG_GUARD_S, Process, free_port, tail, wait_until

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")

# One process, everything below its own folder. nginx drops headers with an underscore, so `api_key`,
# unless it is told otherwise.
NGINX_CONF = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log info;
events {{ }}
http {{
    log_format protocol '$server_protocol';
    access_log {folder}/nginx-access.log protocol;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    underscores_in_headers on;
    upstream sandbox {{ server {upstream}; keepalive 16; }}
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        location / {{
            proxy_pass http://sandbox;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""


def openssl(folder, *arguments):
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, timeout=HANG_GUARD_S)
    assert done.returncode == 0, f"openssl {' '.join(arguments)}:\n{done.stderr}"


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, folder, name):
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca_file = folder / "ca.pem"
        openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", f"/CN={name}", "-keyout", "ca.key", "-out", "ca.pem", "-addext", "keyUsage=critical,keyCertSign")

    def certificate(self, name, subject_alt_name):
        """(certificate file, key file) for a server."""
        (self.folder / f"{name}.ext").write_text(f"subjectAltName={subject_alt_name}\n")
        openssl(self.folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
                "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl(self.folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem")
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"


class Nginx:
    def __init__(self, folder, upstream, certificate):
        self.folder = folder
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        conf = folder / "nginx.conf"
        conf.write_text(NGINX_CONF.format(folder=folder, upstream=upstream, port=port,
                                          certificate=certificate[0], key=certificate[1]))
        self.process = Process("nginx", [NGINX, "-p", folder, "-e", folder / "nginx-error.log", "-c", conf], folder)

        def listening():
            self.process.check_running()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        wait_until("nginx to listen", listening, show=lambda: tail(folder / "nginx-error.log"))

    def protocols(self):
        """The HTTP version of each request, in order."""
        return (self.folder / "nginx-access.log").read_text().split()
