"""For each rule of deploy/audit/rules.yml: code that it has to find, and code beside it that is right."""

from __future__ import annotations

FAULTS: dict[str, list[str]] = {
    "no-unverified-tls": [
        "import ssl\ncontext = ssl._create_unverified_context()",
        "import ssl\ndef open_it():\n    context = ssl.create_default_context()\n    context.check_hostname = False\n    return context",
        "import ssl\ndef open_it(context):\n    context.verify_mode = ssl.CERT_NONE",
        "import httpx2\nclient = httpx2.Client(trust_env=False, verify=False)",
    ],
    "no-old-tls": [
        "import ssl\ndef open_it(context):\n    context.minimum_version = ssl.TLSVersion.TLSv1_1",
        "import ssl\ncontext = ssl.SSLContext(ssl.PROTOCOL_TLSv1)",
    ],
    "no-mail-text-in-logs": [
        "def note(log, mail):\n    log.info('mail filed', folder=mail.subject)",
        "def note(log, mail):\n    log.warning(f'mail of {mail.sender} is late')",
        "def note(log, subject):\n    log.debug('seen %s', subject)",
        "def note(log, parsed):\n    log.error('cannot parse', reason=str(parsed.body)[:20])",
    ],
    "no-field-for-mail-text-in-logs": ["def note(log, words):\n    log.info('mail filed', subject=words)"],
    "no-swallowed-exception": [
        "def run(work):\n    try:\n        work()\n    except Exception:\n        pass",
        "def run(work):\n    try:\n        work()\n    except:\n        pass",
        "def run(works):\n    for work in works:\n        try:\n            work()\n        except Exception:\n            continue",
    ],
    "no-shell": [
        "import subprocess\ndef run(name):\n    subprocess.run(f'ls {name}', shell=True, check=True)",
        "import os\nos.system('ls')",
    ],
    "no-telemetry-of-onnxruntime": [
        "import onnxruntime",
        "def load():\n    from onnxruntime import InferenceSession\n    return InferenceSession",
    ],
    "no-code-from-files": [
        "import pickle\ndef load(file):\n    return pickle.loads(file.read_bytes())",
        "def run(text):\n    return eval(text)",
    ],
}

RIGHT: dict[str, list[str]] = {
    "no-unverified-tls": [
        "import ssl\ndef open_it(ca_file):\n    context = ssl.create_default_context(cafile=ca_file)\n    context.check_hostname = True\n    return context",
    ],
    "no-old-tls": ["import ssl\ndef open_it(context):\n    context.minimum_version = ssl.TLSVersion.TLSv1_2"],
    "no-mail-text-in-logs": [
        "def note(log, record, error):\n    log.info(f'mail {record.state}', uid=record.uid, error=str(error))"
    ],
    "no-field-for-mail-text-in-logs": ["def note(log, name):\n    log.info('mail filed', mailbox=name)"],
    "no-swallowed-exception": [
        "def run(work, log):\n    try:\n        work()\n    except OSError as error:\n        log.error('pass failed', error=str(error))",
    ],
    "no-shell": ["import subprocess\ndef run(name):\n    subprocess.run(['ls', name], check=True)"],
    "no-telemetry-of-onnxruntime": [
        'import os\nTELEMETRY = "ORT_DISABLE_TELEMETRY"\ndef import_onnxruntime():\n    os.environ[TELEMETRY] = "1"\n    import onnxruntime\n    return onnxruntime',
    ],
    "no-code-from-files": ["import json\ndef load(file):\n    return json.loads(file.read_bytes())"],
}
