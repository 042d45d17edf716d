"""Certificates of our own and an nginx that ends TLS in front of the sandbox."""

import subprocess

from harness import HANG_GUARD_S
from nginx import Nginx

HTTP = """
    log_format protocol '$server_protocol';
    access_log {folder}/nginx-access.log protocol;
    upstream sandbox {{ server {upstream}; keepalive 16; }}
    server {{
        listen 127.0.0.1:{tls_port} ssl http2;
        ssl_certificate {certificate[0]};
        ssl_certificate_key {certificate[1]};
        location / {{
            proxy_pass http://sandbox;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
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


class TlsProxy(Nginx):
    """Ends TLS in front of the sandbox, and speaks HTTP/2."""

    def __init__(self, folder, upstream, certificate):
        super().__init__(folder, HTTP, upstream=upstream, certificate=certificate)
        self.address = f"127.0.0.1:{self.tls_port}"

    def protocols(self):
        """The HTTP version of each request, in order."""
        return (self.folder / "nginx-access.log").read_text().split()
