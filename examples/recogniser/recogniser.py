"""A recogniser for trying things out: finds the names given on its command line.

Usage: python3 recogniser.py PORT NAME [NAME ...]
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Recogniser(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    names: list[str] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        texts = json.loads(body)["text"]
        answer = json.dumps([self.find(text) for text in texts]).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def find(self, text: str) -> list[dict[str, object]]:
        found = []
        for name in self.names:
            start = text.find(name)
            while start >= 0:
                end = start + len(name)
                found.append(
                    {"entity_type": "PERSON", "start": start, "end": end, "score": 1.0}
                )
                start = text.find(name, end)
        return found

    def log_message(self, *_: object) -> None:
        """Texts are nobody's business, and neither is when they came."""


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    Recogniser.names = sys.argv[2:]
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Recogniser).serve_forever()
