"""Notifies Powerspace as its Python users do: requests.get, five seconds, True where it was recorded.

usage: notify.py BASE_URL
prints a JSON list of what each notification returned
"""

import json
import sys
from urllib.parse import urlencode

import requests


def notify(path, **parameters):
    try:
        return requests.get(f"{sys.argv[1]}{path}?{urlencode(parameters)}", timeout=5).status_code == 200
    except requests.RequestException:
        return False


click = "abc123xyz789"
print(
    json.dumps(
        [
            notify("/ld", qci=click),
            notify("/ord", qci=click, ov=89.99),
            notify("/ord", qci="test_click_id_123", ov=99.99),
            notify("/ld", qci="a+b &never=seen"),
            notify("/ord", ov=1),
        ]
    )
)
