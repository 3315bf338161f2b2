"""A member of a group by kafka-python: `member.py ADDRESS GROUP TOPIC,TOPIC [name=value …]`, until SIGTERM.

Prints `assigned TOPIC:PARTITION,…` after each rebalance, and `handled TOPIC PARTITION FIRST LAST` before it commits.
"""
import signal
import sys

from kafka import ConsumerRebalanceListener, KafkaConsumer
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.errors import KafkaError

ASSIGNORS = {
    "range": RangePartitionAssignor,
    "roundrobin": RoundRobinPartitionAssignor,
    "cooperative-sticky": CooperativeStickyAssignor,
}


class Told(ConsumerRebalanceListener):
    """Prints the assignment."""

    def __init__(self, consumer, keeps):
        self.consumer = consumer
        self.keeps = keeps

    def on_partitions_revoked(self, revoked):
        # Who keeps the others is not told when a rebalance gives it nothing.
        if self.keeps:
            self.tell(self.consumer.assignment() - set(revoked))

    def on_partitions_assigned(self, assigned):
        self.tell(self.consumer.assignment())

    def tell(self, places):
        print(f"assigned {','.join(sorted(f'{each.topic}:{each.partition}' for each in places))}", flush=True)


def main(address, group, topics, options):
    """Handles records until told to end."""
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    consumer = KafkaConsumer(
        bootstrap_servers=address, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False,
        group_instance_id=options.get("instance"), session_timeout_ms=int(options.get("session", 6000)),
        heartbeat_interval_ms=1000, max_poll_interval_ms=60000, metadata_max_age_ms=2000,
        partition_assignment_strategy=[ASSIGNORS[options.get("assignor", "range")]])
    consumer.subscribe(topics.split(","), listener=Told(consumer, options.get("assignor") == "cooperative-sticky"))
    while not ended:
        polled = consumer.poll(timeout_ms=200, max_records=200)
        for place, records in polled.items():
            print(f"handled {place.topic} {place.partition} {records[0].offset} {records[-1].offset}", flush=True)
        if polled:
            try:
                consumer.commit()
            except KafkaError as error:
                print(f"commit failed: {error}", file=sys.stderr, flush=True)
    consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:4], dict(word.split("=") for word in sys.argv[4:]))
