"""Workers that are broken on purpose, for the judge: `broken.py MODE BOOTSTRAP GROUP TOPIC BASE_URL KEY TEAM`.

honest     sends each event's call, then commits
boastful   commits that a batch is finished, as progress, before it sends the calls
early      commits a batch before it sends the calls
reorder    sends the calls of a batch from the last to the first
twice      sends every call twice
forgetful  begins at the first event whenever it starts
"""

import base64
import http.client
import json
import sys
import urllib.parse

from confluent_kafka import Consumer, TopicPartition

BATCH = 20


def progress_of(count):
    """That so many offsets from the committed one on are finished, see src/delivery/progress.h; without its checksum."""
    return "1" + base64.urlsafe_b64encode(bytes(8) + bytes([count - 1])).decode().rstrip("=")


class Api:
    def __init__(self, base_url, key, team):
        self.url = urllib.parse.urlsplit(base_url)
        self.headers = {"api_key": key, "Content-Type": "application/json"}
        self.path = f"{self.url.path}/contact/identify?team_id={team}"
        self.connection = http.client.HTTPConnection(self.url.netloc)

    def identify(self, event):
        self.connection.request("POST", self.path, json.dumps({"email": event["email"], "firstName": event["id"]}), self.headers)
        reply = self.connection.getresponse()
        reply.read()
        assert reply.status == 200, reply.status


def main(mode, bootstrap, group, topic, base_url, key, team):
    api = Api(base_url, key, team)
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False,
                         "auto.offset.reset": "earliest", "fetch.wait.max.ms": 20, "group.instance.id": group})

    def assign(_consumer, parts):
        consumer.assign([TopicPartition(tp.topic, tp.partition, 0) for tp in parts] if mode == "forgetful" else parts)
    consumer.subscribe([topic], on_assign=assign)
    while True:
        batch = [message for message in consumer.consume(BATCH, timeout=0.2) if message.error() is None]
        if not batch:
            continue

        def commit():
            nexts = {message.partition(): message.offset() + 1 for message in batch}
            consumer.commit(offsets=[TopicPartition(topic, p, offset) for p, offset in nexts.items()], asynchronous=False)
        if mode == "early":
            commit()
        if mode == "boastful":
            consumer.commit(offsets=[TopicPartition(topic, batch[0].partition(), batch[0].offset(), progress_of(
                sum(message.partition() == batch[0].partition() for message in batch)))], asynchronous=False)
        for message in reversed(batch) if mode == "reorder" else batch:
            for _ in range(2 if mode == "twice" else 1):
                api.identify(json.loads(message.value()))
        if mode != "early":
            commit()


if __name__ == "__main__":
    main(*sys.argv[1:])
