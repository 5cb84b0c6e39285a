"""From landing files into raw: packages, the ledger, the lock, the warehouses."""

import os

# dlt reads these once, when it is imported; what is set later is not looked at. These are other people's databases:
# nothing is reported to anyone. A traceback is for who asks for it by `--traceback`: el says the same in one line.
os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
os.environ.setdefault("RUNTIME__LOG_LEVEL", "CRITICAL")
