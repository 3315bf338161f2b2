//! The HTTP port: `/metrics` for Prometheus, `/live` and `/ready` for whoever restarts or routes.

use bytes::{Bytes, BytesMut};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use ottla_host::net::{Listener, Stream};
use ottla_host::{BoxFuture, Host, metric};
use std::convert::Infallible;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// What Prometheus asks for.
const METRICS: &str = "/metrics";
/// Connections served at one time; further ones are closed.
const CONNECTIONS_MAX: usize = 64;
/// A connection that is older is closed, whatever it does; clients open another.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(300);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// What the port shows.
pub(crate) struct Shown {
    pub(crate) metrics: metric::Registry,
    /// Whether the broker takes connections of clients.
    pub(crate) accepting: AtomicBool,
    is_open: IsOpen,
    /// Gathers what collectors cannot ask for without waiting.
    pub(crate) prepare: OnceLock<Prepare>,
    open: AtomicUsize,
}

/// Whether all partitions are open.
pub(crate) type IsOpen = Box<dyn Fn() -> bool + Send + Sync>;

/// Work before a scrape.
pub(crate) type Prepare = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

impl Shown {
    pub(crate) fn new(is_open: IsOpen) -> Shown {
        Shown {
            metrics: metric::Registry::new(),
            accepting: AtomicBool::new(false),
            is_open,
            prepare: OnceLock::new(),
            open: AtomicUsize::new(0),
        }
    }

    /// Whether every partition is served.
    pub(crate) fn is_ready(&self) -> bool {
        self.accepting.load(Ordering::SeqCst) && (self.is_open)()
    }
}

/// Serves the port for as long as the task runs.
pub(crate) async fn serve(host: Host, mut socket: Box<dyn Listener>, shown: Arc<Shown>) {
    loop {
        let Ok(stream) = poll_fn(|task| socket.poll_accept(task)).await else {
            let pause = host.clock.monotonic() + Duration::from_millis(100);
            host.tasks.sleep_until(pause).await;
            continue;
        };
        if shown.open.load(Ordering::Relaxed) >= CONNECTIONS_MAX {
            continue;
        }
        shown.open.fetch_add(1, Ordering::Relaxed);
        host.tasks.spawn("http connection", Box::pin(serve_one(host.clone(), stream, Open(shown.clone()))));
    }
}

/// A counted connection.
struct Open(Arc<Shown>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve_one(host: Host, stream: Box<dyn Stream>, open: Open) {
    let answer = service_fn(|request: Request<Incoming>| {
        let (host, shown) = (&host, &open.0);
        async move {
            if request.uri().path() == METRICS
                && let Some(prepare) = shown.prepare.get()
            {
                prepare().await;
            }
            Ok::<_, Infallible>(respond(host, shown, &request))
        }
    });
    let io = Io { stream, buffer: BytesMut::new() };
    let mut builder = http1::Builder::new();
    let late = host.tasks.sleep_until(host.clock.monotonic() + CONNECTION_TIME_MAX);
    tokio::select! {
        biased;
        served = builder.max_buf_size(HEAD_BYTES_MAX).serve_connection(io, answer) => {
            if let Err(error) = served {
                tracing::debug!(%error, "http connection ended");
            }
        }
        () = late => {}
    }
}

fn respond(host: &Host, shown: &Shown, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let text = |status, body: String| {
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        response
    };
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned());
    }
    match request.uri().path() {
        METRICS => {
            let mut response = text(StatusCode::OK, shown.metrics.text(host.clock.monotonic()));
            let kind = hyper::header::HeaderValue::from_static(metric::CONTENT_TYPE);
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
        "/live" => text(StatusCode::OK, "live\n".to_owned()),
        "/ready" if shown.is_ready() => text(StatusCode::OK, "ready\n".to_owned()),
        "/ready" => text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n".to_owned()),
        _ => text(StatusCode::NOT_FOUND, "there are /metrics, /live and /ready\n".to_owned()),
    }
}

/// A connection as hyper wants it.
struct Io {
    stream: Box<dyn Stream>,
    buffer: BytesMut,
}

impl Read for Io {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, mut to: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.buffer.is_empty() {
            this.buffer.reserve(HEAD_BYTES_MAX);
            ready!(this.stream.poll_read(task, &mut this.buffer))?;
        }
        let count = this.buffer.len().min(to.remaining());
        to.put_slice(&this.buffer.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl Write for Io {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream.poll_write(task, &[IoSlice::new(bytes)])
    }

    fn poll_flush(self: Pin<&mut Self>, _task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_close(task)
    }
}
