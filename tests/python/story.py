"""Records a conversion and reads its story, knowing the hub's address alone: the contract comes by reflection.

usage: story.py HOST:PORT CLICK_TOKEN
prints the conversion's story as JSON
"""

import json
import sys
import time

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


class Hub:
    def __init__(self, address):
        self.channel = grpc.insecure_channel(address)
        self.pool = DescriptorPool(ProtoReflectionDescriptorDatabase(self.channel))

    def call(self, service, method, request):
        described = self.pool.FindServiceByName(service).FindMethodByName(method)
        taken, given = GetMessageClass(described.input_type), GetMessageClass(described.output_type)
        call = self.channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=taken.SerializeToString,
            response_deserializer=given.FromString,
        )
        return MessageToDict(call(ParseDict(request, taken()), timeout=10), preserving_proto_field_name=True)


def main():
    address, token = sys.argv[1:]
    hub = Hub(address)
    service = "postback.v1.ConversionService"
    recorded = hub.call(
        service,
        "RecordConversion",
        {
            "source": {"click_token": token},
            "details": {"kind": "KIND_ORDER", "value": {"amount": "89.99", "currency": "EUR"}, "transaction_id": "py-1"},
            "request_id": "python-1",
        },
    )
    deadline = time.monotonic() + 30
    while True:
        story = hub.call(service, "GetConversion", {"conversion_id": recorded["conversion_id"]})
        if story["deliveries"][0]["state"] != "DELIVERY_STATE_PENDING" or time.monotonic() > deadline:
            break
    healthy = hub.call("grpc.health.v1.Health", "Check", {"service": service})
    print(json.dumps({"story": story, "health": healthy}))


main()
