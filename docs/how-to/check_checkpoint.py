"""Check the signature of a checkpoint: ``python check_checkpoint.py CHECKPOINT.json PUBLIC_KEY.pem``.

Needs nothing of orderlog, only the package ``cryptography``.
"""

import base64
import json
import pathlib
import sys

from cryptography.hazmat.primitives.serialization import load_pem_public_key

checkpoint = json.loads(pathlib.Path(sys.argv[1]).read_text())
lines = [f"{name} {checkpoint[name]}" for name in ("position", "hash", "root")]
lines += [f"{name} {checkpoint[name] or '-'}" for name in ("recorded_at", "taken_at")]
signed = "".join(line + "\n" for line in ["orderlog checkpoint 1", *lines])
key = load_pem_public_key(pathlib.Path(sys.argv[2]).read_bytes())
key.verify(base64.b64decode(checkpoint["signature"]), signed.encode())  # raises InvalidSignature
print(f"good: the log had {checkpoint['position']} events at {checkpoint['taken_at']}")
