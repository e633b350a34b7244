"""Tells the network of one conversion after the other, as its own example does: requests.get, five seconds.

usage: notify.py NETWORK
"""

import secrets
import sys
from urllib.parse import urlencode

import requests


def notify(click, **parameters):
    url = f"{sys.argv[1]}/api/v1/cpa/action/{click}?{urlencode(parameters)}"
    answer = requests.get(url, timeout=5)
    return answer.status_code == 200 and answer.json().get("ok") is True


while True:
    code = f"order-{secrets.token_hex(6)}"
    key = "123456789012345678901234567890abcdef"
    if not notify(secrets.token_hex(20), value="49.90", lead_code=code, key=key):
        sys.exit("the network did not take it")
