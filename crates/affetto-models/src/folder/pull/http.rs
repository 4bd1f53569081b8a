//! Requests to a hub, redirects, and what its refusals mean.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use ureq::http::{Response, Uri};
use ureq::{Agent, Body};

use super::super::{ModelId, bad};
use crate::ModelError;

/// How long a hub may be silent.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most redirects that are followed; the hub leads to a store of large files by one or two.
const MAX_REDIRECTS: usize = 8;

/// A hub that can be asked.
pub(super) struct Client {
    agent: Agent,
    endpoint: String,
    token: Option<String>,
}

/// What a hub said.
pub(super) enum Answer {
    Found(Reply),
    /// The file has no bytes from the asked one on.
    NoSuchRange,
}

/// A file, or the rest of one.
pub(super) struct Reply {
    response: Response<Body>,
    /// What the hub called the file: its SHA-256 if it is large, else Git's name of it.
    pub etag: Option<String>,
    /// Bytes of the whole file.
    pub size: Option<u64>,
    /// Whether this is the rest that was asked for, not the whole.
    pub partial: bool,
}

impl Reply {
    /// The bytes.
    pub(super) fn reader(self) -> impl Read {
        self.response.into_body().into_reader()
    }

    /// The bytes as text, of at most `most` bytes.
    pub(super) fn text(self, most: u64) -> Result<String, String> {
        let mut text = String::new();
        self.reader().take(most).read_to_string(&mut text).map_err(|e| format!("its answer broke off: {e}"))?;
        Ok(text)
    }
}

impl Client {
    pub(super) fn new(endpoint: &str, token: Option<&str>) -> Result<Self, ModelError> {
        let endpoint = endpoint.trim_end_matches('/');
        let uri = endpoint.parse::<Uri>().ok().filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
        let Some(host) = uri.as_ref().and_then(Uri::host) else {
            return Err(bad(Path::new(endpoint), "not a hub's address; HF_ENDPOINT is like https://huggingface.co"));
        };
        if token.is_some_and(|token| !token.bytes().all(|b| b.is_ascii_graphic())) {
            return Err(bad(Path::new("HF_TOKEN"), "not a token: it has spaces or signs that no token has"));
        }
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE))
            .user_agent(concat!("affetto/", env!("CARGO_PKG_VERSION")));
        if matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
            config = config.proxy(None);
        }
        let agent = config.build().into();
        Ok(Client { agent, endpoint: endpoint.to_owned(), token: token.map(str::to_owned) })
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// An answer that makes no sense.
    pub(super) fn broken(&self, id: &ModelId, reason: String) -> ModelError {
        bad(Path::new(id.name()), format!("{}: {reason}; try again later", self.endpoint))
    }

    /// Asks for `path` of the hub, from byte `from` on. The token goes to the hub only, not to where it may lead.
    pub(super) fn get(&self, id: &ModelId, path: &str, from: Option<u64>) -> Result<Answer, ModelError> {
        let mut url = format!("{}{path}", self.endpoint);
        let (mut etag, mut size) = (None, None);
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self.agent.get(&url);
            if let Some(token) = self.token.as_ref().filter(|_| self.is_home(&url)) {
                request = request.header("Authorization", format!("Bearer {token}"));
            }
            if let Some(from) = from {
                request = request.header("Range", format!("bytes={from}-"));
            }
            let response = request.call().map_err(|error| self.unreachable(id, &error))?;
            let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
            // What the hub itself says counts; a store behind it has names of its own.
            let linked = header("x-linked-etag").or_else(|| header("etag").filter(|_| self.is_home(&url)));
            etag = etag.or_else(|| linked.map(|tag| tag.trim_start_matches("W/").trim_matches('"').to_owned()));
            size = size.or_else(|| header("x-linked-size").and_then(|size| size.parse::<u64>().ok()));
            match response.status().as_u16() {
                status @ (200 | 206) => {
                    let length = header("content-length").and_then(|length| length.parse::<u64>().ok());
                    // `bytes 10-19/20`
                    let ranged = header("content-range").and_then(|range| range.rsplit('/').next()?.parse().ok());
                    let start = header("content-range").and_then(|range| range.split(['-', ' ']).nth(1)?.parse().ok());
                    let partial = status == 206 && start == from;
                    if status == 206 && !partial {
                        return Err(self.broken(id, "it sends another part of a file than was asked for".to_owned()));
                    }
                    let size = size.or(if partial { ranged } else { length });
                    return Ok(Answer::Found(Reply { response, etag, size, partial }));
                }
                416 => return Ok(Answer::NoSuchRange),
                301 | 302 | 303 | 307 | 308 => {
                    let to = header("location").unwrap_or_default();
                    let Some(next) = self.resolve(&url, to) else {
                        return Err(self.broken(id, format!("it leads to {to:?}, which is no address")));
                    };
                    url = next;
                }
                status => return Err(self.refused(id, status)),
            }
        }
        Err(self.broken(id, "it leads in a circle".to_owned()))
    }

    /// Whether an address is the hub's.
    fn is_home(&self, url: &str) -> bool {
        url.strip_prefix(&self.endpoint).is_some_and(|rest| rest.starts_with(['/', '?']))
    }

    /// The address a redirect names. From https none leads to http.
    fn resolve(&self, from: &str, to: &str) -> Option<String> {
        let uri: Uri = to.parse().ok()?;
        match uri.scheme_str() {
            Some("https") => Some(to.to_owned()),
            Some("http") => (!from.starts_with("https://")).then(|| to.to_owned()),
            Some(_) => None,
            None => {
                let base: Uri = from.parse().ok()?;
                to.starts_with('/').then(|| format!("{}://{}{to}", base.scheme_str()?, base.authority()?).into())?
            }
        }
    }

    fn unreachable(&self, id: &ModelId, error: &ureq::Error) -> ModelError {
        let reason = match error {
            ureq::Error::HostNotFound => "no such host, or no network".to_owned(),
            ureq::Error::Timeout(_) => "no answer".to_owned(),
            ureq::Error::Io(error) => error.to_string(),
            other => other.to_string(),
        };
        let reason = reason.lines().next().unwrap_or_default();
        let remedy = "check the network, or name a mirror with HF_ENDPOINT";
        bad(Path::new(id.name()), format!("{} cannot be reached: {reason}; {remedy}", self.endpoint))
    }

    fn refused(&self, id: &ModelId, status: u16) -> ModelError {
        let page = format!("{}/{}", self.endpoint, id.name());
        let reason = match status {
            401 | 403 if self.token.is_none() => format!(
                "there is no such model, or it is not open to all ({status}); accept its terms at {page} and set \
                 HF_TOKEN to a token of yours"
            ),
            401 | 403 => format!(
                "the token in HF_TOKEN may not read it ({status}), or there is no such model; accept its terms at {page}"
            ),
            404 => format!("{page} does not exist, or has no revision `{}` (404)", id.revision()),
            429 => format!("{} has had too many requests (429); try again later, or set HF_TOKEN", self.endpoint),
            _ => format!("{} answers {status}; try again later", self.endpoint),
        };
        bad(Path::new(id.name()), reason)
    }
}
