//! The broker as a whole: start and stop.

mod dirs;

use crate::api::peer::ListenerKind;
use crate::cx::Cx;
use crate::metrics::lag::Lags;
use crate::metrics::{self, State};
use crate::net::bind::{BindError, Bound, bind_all, bind_ip, told};
use crate::net::http::{self, Shown};
use crate::net::limits::{Bounds, Limits};
use crate::net::listener::{Endpoint, accept_all};
use crate::net::server::Server;
use crate::quorum::{self, Following, Home, HomeError, Introduction, MetadataError};
use crate::storage::Storage;
use crate::tasks;
use dirs::Opened;
use ottla_host::metric::Scrape;
use ottla_host::tasks::TaskHandle;
use ottla_host::{BoxFuture, Host};
use ottla_log::LogDir;
use ottla_log::dir::DirError;
use ottla_metadata::BrokerConfig;
#[cfg(test)]
use ottla_metadata::{Delta, Image};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Longest time that a clean stop waits for answers in flight.
const STOP_MAX: Duration = Duration::from_secs(10);

/// Longest time that a start waits for all partitions before connections are taken: clients of a quick start never see one
/// that is not open.
const OPENING_MAX: Duration = Duration::from_millis(100);

/// Why a broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener's address cannot be bound.
    #[error("listener {name} cannot listen on {address}: {error}")]
    Listen {
        /// Name, as `listeners` has it.
        name: String,
        /// Address asked for.
        address: String,
        /// What the system says.
        error: io::Error,
    },
    /// A log directory cannot be used.
    #[error(transparent)]
    Dir(#[from] DirError),
    /// A log directory is not this node's.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The cluster's metadata cannot be used.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A log directory cannot be listed.
    #[error("log directories cannot be read: {0}")]
    Io(#[from] io::Error),
}

impl From<BindError> for StartError {
    fn from(BindError { name, address, error }: BindError) -> StartError {
        StartError::Listen { name, address, error }
    }
}

/// A running broker.
pub struct Broker {
    server: Arc<Server>,
    storage: Arc<Storage>,
    tasks: Vec<Arc<dyn TaskHandle>>,
    shown: Arc<Shown>,
    http_address: Option<SocketAddr>,
    addresses: Vec<(Arc<str>, SocketAddr)>,
    following: Following,
    /// Directory of the metadata log where that is none of `log.dirs`.
    metadata_dir: Option<Arc<LogDir>>,
}

impl Broker {
    /// Opens log directories and the metadata log, joins the cluster, opens the listeners, and serves. Partitions may still
    /// be being opened when it is done: each is served as soon as it is open, and until then clients are told to come again.
    pub async fn start(host: Host, config: BrokerConfig) -> Result<Broker, StartError> {
        let config = Arc::new(config);
        let cx = Arc::new(Cx::new(host.clone(), config.clone(), None));
        let Opened { dirs, has_failed, metadata: metadata_dir } = dirs::open(&host, &config)?;
        let home = Home::of(&host, &config, &dirs, &metadata_dir)?;
        let sockets = bind_all(&host, &config)?;
        let addresses: Vec<_> = sockets.iter().map(|bound| (bound.name.clone(), bound.address)).collect();
        let storage = Arc::new(Storage::new(host.clone(), config.clone(), cx.registry().clone(), (dirs, has_failed))?);
        let opened =
            quorum::open(&host, &config, (&home, &metadata_dir), told(&config, &addresses, ListenerKind::Controller))
                .await?;
        cx.control().connect(opened.0.clone(), home.cluster_id.clone());
        let (mut following, hosting) =
            quorum::follow(&host, (cx.control(), cx.image_cell()), (&storage, cx.coordinators()), opened);
        following.until_leading().await?;
        let own = Introduction {
            endpoints: told(&config, &addresses, ListenerKind::Broker),
            directories: home.directories,
            previous_epoch: home.previous_epoch,
        };
        quorum::join(&host, &config, cx.control(), own).await?;
        let server = Arc::new(Server::new(host, cx, Limits::new(bounds(&config))));
        let tasks = tasks::start(&server.host, &config, &storage);
        let metadata_dir = Some(metadata_dir).filter(|dir| quorum::find(&storage.dirs(), dir.path()).is_none());
        let opened = storage.clone();
        let shown = Arc::new(Shown::new(Box::new(move || opened.is_open())));
        let http_address = None;
        let mut broker = Broker { server, storage, tasks, shown, http_address, addresses, following, metadata_dir };
        broker.open_http(&config)?;
        hosting.give().await;
        broker.until_open_or_late().await;
        broker.accept(sockets);
        broker.shown.accepting.store(true, Ordering::SeqCst);
        Ok(broker)
    }

    /// Waits for the partitions to open, but not long: what is open is served then, and the others as they come.
    async fn until_open_or_late(&self) {
        let host = &self.server.host;
        let late = host.tasks.sleep_until(host.clock.monotonic() + OPENING_MAX);
        tokio::select! {
            biased;
            // Nobody can have stopped the broker yet.
            _ = self.storage.until_open() => {}
            () = late => tracing::info!("partitions are still being opened: each is served as soon as it is open"),
        }
    }

    /// From here on connections are taken.
    fn accept(&self, sockets: Vec<Bound>) {
        for bound in sockets {
            let endpoint = Endpoint { name: bound.name, kind: bound.kind };
            let task = accept_all(self.server.clone(), endpoint, bound.socket);
            self.server.host.tasks.spawn("listener", Box::pin(task));
        }
    }

    /// Ends when the broker cannot go on, with the reason: the process has to end then.
    pub async fn failed(&self) -> MetadataError {
        let following = self.following.clone();
        let Some(quorum) = self.server.cx.control().quorum() else { return following.failed().await };
        tokio::select! {
            biased;
            reason = quorum.failed() => MetadataError::Quorum(reason),
            error = following.failed() => error,
        }
    }

    /// Id of the cluster.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        self.server.cx.control().cluster_id()
    }

    /// Follows a newer image: partitions first, then clients see it.
    #[cfg(test)]
    pub(crate) async fn apply(&self, image: Image, delta: &Delta) {
        self.storage.apply(&image, delta).await.expect("a test applies while the broker runs");
        let image = Arc::new(image);
        self.server.cx.coordinators().apply(&image);
        self.server.cx.image_cell().store(image);
    }

    /// Opens the HTTP port. A taken port is an error when the user has named it, else a warning.
    fn open_http(&mut self, config: &BrokerConfig) -> Result<(), StartError> {
        let Some(address) = &config.http.address else { return Ok(()) };
        let bind = address.rsplit_once(':').ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput));
        let bound = bind.and_then(|(host, port)| {
            let port = port.parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
            self.server.host.net.listen(SocketAddr::new(bind_ip(host.trim_matches(['[', ']']))?, port))
        });
        let socket = match bound {
            Ok(socket) => socket,
            Err(error) if config.http.configured => {
                let name = "ottla.http.listener".to_owned();
                return Err(BindError { name, address: address.clone(), error }.into());
            }
            Err(error) => {
                tracing::warn!(address, %error, "no metrics: the HTTP port cannot be opened");
                return Ok(());
            }
        };
        self.http_address = socket.local_addr().ok();
        let (cx, storage, server) = (self.server.cx.clone(), self.storage.clone(), self.server.clone());
        self.shown.metrics.register(Box::new(move |scrape: &mut Scrape<'_>| {
            metrics::collect(&cx, State::of(&cx, storage.is_open()), scrape);
        }));
        self.shown.metrics.register(Box::new(move |scrape: &mut Scrape<'_>| {
            let limits = &server.limits;
            server.meters.put(limits.connections(), limits.in_flight_bytes(), scrape);
        }));
        self.show_lag();
        let task = http::serve(self.server.host.clone(), socket, self.shown.clone());
        self.tasks.push(self.server.host.tasks.spawn("http", Box::pin(task)));
        Ok(())
    }

    /// Has every scrape find out how far groups are behind.
    fn show_lag(&self) {
        let lags = Arc::new(Lags::default());
        let (cx, shown) = (self.server.cx.clone(), lags.clone());
        let prepare = move || -> BoxFuture<'static, ()> {
            let (cx, lags) = (cx.clone(), lags.clone());
            Box::pin(async move { lags.refresh(&cx).await })
        };
        drop(self.shown.prepare.set(Box::new(prepare)));
        self.shown.metrics.register(Box::new(move |scrape: &mut Scrape<'_>| shown.collect(scrape)));
    }

    /// Address of the HTTP port, if it is open.
    #[must_use]
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http_address
    }

    /// Names and addresses of the listeners.
    #[must_use]
    pub fn addresses(&self) -> &[(Arc<str>, SocketAddr)] {
        &self.addresses
    }

    /// Takes no further request, answers those in flight, and ends within a bound.
    pub async fn stop(self) {
        let server = self.server;
        self.shown.accepting.store(false, Ordering::SeqCst);
        self.storage.abandon_opening();
        server.begin_stop();
        server.cx.begin_stop();
        server.cx.coordinators().finish().await;
        let deadline = server.host.tasks.sleep_until(server.host.clock.monotonic() + STOP_MAX);
        tokio::select! {
            biased;
            () = server.connections_ended() => {}
            () = deadline => server.abort_connections(),
        }
        for task in &self.tasks {
            task.abort();
        }
        let control = server.cx.control();
        if let Some(quorum) = control.quorum() {
            quorum.stop().await;
        }
        let epoch = control.broker_epoch().unwrap_or(-1);
        if let Some(dir) = &self.metadata_dir {
            if let Err(error) = dir.mark_clean(epoch) {
                tracing::error!(dir = %dir.path().display(), %error, "cannot mark the log directory clean");
            }
            dir.release();
        }
        tasks::close(&self.storage, epoch).await;
    }
}

fn bounds(config: &BrokerConfig) -> Bounds {
    let network = &config.network;
    let defaults = Bounds::default();
    let overrides = network.connections_per_ip_overrides.iter();
    Bounds {
        request_bytes_max: network.request_bytes_max,
        in_flight_bytes_max: network.in_flight_bytes_max.unwrap_or(defaults.in_flight_bytes_max),
        connections_max: network.connections_max,
        connections_per_ip_max: network.connections_per_ip_max,
        per_ip_overrides: overrides.filter_map(|(ip, max)| Some((ip.parse().ok()?, *max))).collect(),
        creation_rate_max: network.connection_rate_max,
        idle_max: network.idle_ms_max.map(Duration::from_millis),
    }
}

#[cfg(test)]
mod client;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod opening;
#[cfg(test)]
mod stalled;
#[cfg(test)]
mod tests;
