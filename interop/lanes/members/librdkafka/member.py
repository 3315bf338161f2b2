"""A member of a group by librdkafka: `member.py ADDRESS GROUP TOPIC,TOPIC [name=value …]`, until SIGTERM.

Prints `assigned TOPIC:PARTITION,…` after each rebalance, and `handled TOPIC PARTITION FIRST LAST` before it commits.
"""
import signal
import sys

from confluent_kafka import Consumer, KafkaException


def told(consumer, more=(), less=()):
    """Prints the assignment."""
    owned = {f"{each.topic}:{each.partition}" for each in consumer.assignment()}
    owned |= {f"{each.topic}:{each.partition}" for each in more}
    owned -= {f"{each.topic}:{each.partition}" for each in less}
    print(f"assigned {','.join(sorted(owned))}", flush=True)


def main(address, group, topics, options):
    """Handles records until told to end."""
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    settings = {
        "bootstrap.servers": address, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False,
        "max.poll.interval.ms": 60000, "topic.metadata.refresh.interval.ms": 2000,
    }
    is_modern = options.get("protocol") == "consumer"
    if is_modern:
        settings["group.protocol"] = "consumer"
    else:
        settings["session.timeout.ms"] = int(options.get("session", 6000))
        settings["heartbeat.interval.ms"] = 1000
        settings["partition.assignment.strategy"] = options.get("assignor", "range")
    if "instance" in options:
        settings["group.instance.id"] = options["instance"]
    consumer = Consumer(settings)
    # By KIP-848 what is given up is told by itself.
    listeners = {"on_revoke": lambda one, less: told(one, less=less)} if is_modern else {}
    consumer.subscribe(topics.split(","), on_assign=lambda one, more: told(one, more=more), **listeners)
    while not ended:
        messages = [message for message in consumer.consume(200, timeout=0.2) if message.error() is None]
        spans = {}
        for message in messages:
            first, _ = spans.get((message.topic(), message.partition()), (message.offset(), 0))
            spans[message.topic(), message.partition()] = (first, message.offset())
        for (topic, partition), (first, last) in spans.items():
            print(f"handled {topic} {partition} {first} {last}", flush=True)
        if messages:
            try:
                consumer.commit(asynchronous=False)
            except KafkaException as error:
                print(f"commit failed: {error}", file=sys.stderr, flush=True)
    consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:4], dict(word.split("=") for word in sys.argv[4:]))
