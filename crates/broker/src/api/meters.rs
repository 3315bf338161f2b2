//! What connections and requests count, and how it is shown (kafka.network, socket-server-metrics).

use crate::api::table::TABLE;
use ottla_host::metric::{Histogram, Metric, Scrape, SharedCounter, Unit};
use ottla_wire::ApiVersion;

const REQUESTS: Metric =
    Metric::counter("kafka_network_requestmetrics_requests_total", Unit::Requests, "Requests by API and version")
        .with_labels(&["request", "version"]);
const TOTAL_TIME: Metric = Metric::summary(
    "kafka_network_requestmetrics_totaltimems",
    Unit::Millis,
    "Time from the arrival of a request to its answer",
)
.with_labels(&["request"]);
const BYTES_IN: Metric = Metric::counter(
    "kafka_server_socket_server_metrics_incoming_byte_total",
    Unit::Bytes,
    "Bytes of requests received",
);
const BYTES_OUT: Metric =
    Metric::counter("kafka_server_socket_server_metrics_outgoing_byte_total", Unit::Bytes, "Bytes of answers sent");
const OPEN: Metric =
    Metric::gauge("kafka_server_socket_server_metrics_connection_count", Unit::Count, "Connections open");
const CREATED: Metric =
    Metric::counter("kafka_server_socket_server_metrics_connection_creation_total", Unit::Count, "Connections taken");
const IN_FLIGHT_BYTES: Metric =
    Metric::gauge("kafka_network_socketserver_memorypoolused", Unit::Bytes, "Bytes of requests that are not answered");

/// Counts of one API.
struct OfApi {
    /// By version, from the lowest one served.
    requests: Vec<SharedCounter>,
    micros: Histogram,
}

/// What all connections count.
pub(crate) struct Meters {
    /// In the order of the table.
    apis: Vec<OfApi>,
    pub(crate) bytes_in: SharedCounter,
    pub(crate) bytes_out: SharedCounter,
    pub(crate) created: SharedCounter,
}

impl Meters {
    pub(crate) fn new() -> Meters {
        let of_api = TABLE.iter().map(|row| {
            let versions = row.key.info().versions;
            let requests = (versions.min..=versions.max).map(|_| SharedCounter::new()).collect();
            OfApi { requests, micros: Histogram::new() }
        });
        Meters {
            apis: of_api.collect(),
            bytes_in: SharedCounter::new(),
            bytes_out: SharedCounter::new(),
            created: SharedCounter::new(),
        }
    }

    /// Counts a request of the table's row `at`.
    pub(crate) fn begun(&self, at: usize, version: ApiVersion) {
        let least = TABLE[at].key.info().versions.min;
        if let Some(counter) = self.apis[at].requests.get(usize::try_from(version.0 - least).unwrap_or(usize::MAX)) {
            counter.add(1);
        }
    }

    /// Notes how long an answer has taken.
    pub(crate) fn answered(&self, at: usize, micros: u64) {
        self.apis[at].micros.record(micros);
    }

    /// Puts what was counted, with the connections that are open and the bytes of requests in flight.
    pub(crate) fn put(&self, connections: usize, in_flight_bytes: usize, scrape: &mut Scrape<'_>) {
        for (row, api) in TABLE.iter().zip(&self.apis) {
            let info = row.key.info();
            for (version, counter) in (info.versions.min..).zip(&api.requests) {
                if counter.get() > 0 {
                    scrape.put(&REQUESTS, &[info.name, &version.to_string()], counter.get() as f64);
                }
            }
            if api.micros.count() > 0 {
                scrape.put_summary(&TOTAL_TIME, &[info.name], &api.micros, 1000.0);
            }
        }
        scrape.put(&BYTES_IN, &[], self.bytes_in.get() as f64);
        scrape.put(&BYTES_OUT, &[], self.bytes_out.get() as f64);
        scrape.put(&CREATED, &[], self.created.get() as f64);
        scrape.put(&OPEN, &[], connections as f64);
        scrape.put(&IN_FLIGHT_BYTES, &[], in_flight_bytes as f64);
    }
}
