"""What the story of a group needs beside its members: `desk.py ADDRESS create|produce|offsets …`."""
import json
import sys

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic


def create(address, topics):
    """Creates topics named `NAME:PARTITIONS,…`."""
    pairs = [topic.split(":") for topic in topics.split(",")]
    wanted = [NewTopic(name, num_partitions=int(partitions), replication_factor=1) for name, partitions in pairs]
    admin = AdminClient({"bootstrap.servers": address})
    for done in admin.create_topics(wanted).values():
        done.result()


def produce(address, topics, count):
    """Writes `count` records to each topic, over all of its partitions."""
    producer = Producer({"bootstrap.servers": address, "enable.idempotence": True, "linger.ms": 5})
    failed = []
    for topic in topics.split(","):
        for number in range(int(count)):
            producer.produce(topic, key=b"%d" % number, value=b"%d" % number,
                             on_delivery=lambda error, _: failed.append(error) if error else None)
            producer.poll(0)
    if producer.flush(60) or failed:
        raise SystemExit(f"not everything was written: {failed[:3]}")


def offsets(address, group, topics):
    """Prints, for each partition, where it ends and what the group has committed."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": group})
    metadata = consumer.list_topics(timeout=30).topics
    places = [TopicPartition(topic, index) for topic in topics.split(",") for index in metadata[topic].partitions]
    committed = {(each.topic, each.partition): each.offset for each in consumer.committed(places, timeout=30)}
    ends = {place: consumer.get_watermark_offsets(place, timeout=30)[1] for place in places}
    print(json.dumps({f"{place.topic}:{place.partition}": [end, committed[place.topic, place.partition]]
                      for place, end in ends.items()}))
    consumer.close()


if __name__ == "__main__":
    {"create": create, "produce": produce, "offsets": offsets}[sys.argv[2]](sys.argv[1], *sys.argv[3:])
