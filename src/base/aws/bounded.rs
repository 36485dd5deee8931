//! Amazon's HTTP client, which reads answers of any length, made to read no more than any
//! answer of S3, STS or KMS needs.

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// Most bytes that are read of an answer which says no more than what became of a request; whatever follows is cut off, and its connection closed.
pub(crate) const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// A client whose answers are short. Amazon's own also makes a connector for each new client of a
/// service, to see whether it can, and throws it away: a TLS configuration with all root
/// certificates for each account. This one does not.
#[derive(Debug)]
pub(crate) struct Bounded {
    pub(crate) client: SharedHttpClient,
    /// Most bytes of an answer.
    pub(crate) limit: usize,
}

impl HttpClient for Bounded {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let connector = self.client.http_connector(settings, components);
        SharedHttpConnector::new(Connector { connector, limit: self.limit })
    }
}

#[derive(Debug)]
struct Connector {
    connector: SharedHttpConnector,
    limit: usize,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (answer, limit) = (self.connector.call(request), self.limit);
        HttpConnectorFuture::new(async move { read(answer.await?, limit).await })
    }
}

/// The answer with what was read of its body.
async fn read(mut answer: HttpResponse, limit: usize) -> Result<HttpResponse, ConnectorError> {
    let mut stream = ByteStream::new(answer.take_body());
    let mut body = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(error) if answer.status().is_success() => return Err(ConnectorError::io(error.into())),
            // A refusal is one, however its words end.
            Err(_) => break,
        };
        let room = limit - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    *answer.body_mut() = SdkBody::from(body);
    Ok(answer)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_sdk_s3::config::retry::RetryConfig;
    use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use crate::base::aws::http_client;

    /// How much an endless answer may put into buffers on its way, sockets' included.
    pub(crate) const BUFFERS: usize = 16 << 20;

    /// A server of endless answers, and how much of them was taken.
    pub(crate) async fn endless(status: u16) -> (String, Arc<AtomicUsize>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&taken);
        let head = format!("HTTP/1.1 {status} x\r\ntransfer-encoding: chunked\r\n\r\n");
        let chunk = [b"10000\r\n".as_slice(), &[b'a'; 0x10000], b"\r\n"].concat();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let _ = socket.read(&mut [0; 8192]).await;
                let _ = socket.write_all(head.as_bytes()).await;
                while counted.load(Ordering::SeqCst) < 4 * BUFFERS && socket.write_all(&chunk).await.is_ok() {
                    counted.fetch_add(chunk.len(), Ordering::SeqCst);
                }
            }
        });
        (url, taken)
    }

    #[tokio::test]
    async fn an_endless_answer_of_sts_or_kms_is_cut() {
        for status in [200, 403] {
            let (url, taken) = endless(status).await;
            let key = Credentials::new("AKIA", "secret", None, None, "test");
            let config = aws_config::SdkConfig::builder()
                .behavior_version(BehaviorVersion::v2026_01_12())
                .http_client(http_client())
                .region(Region::new("us-east-1"))
                .endpoint_url(url)
                .retry_config(RetryConfig::disabled())
                .credentials_provider(aws_sdk_s3::config::SharedCredentialsProvider::new(key))
                .build();
            let sts = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await;
            assert!(sts.is_err());
            let kms = aws_sdk_kms::Client::new(&config).decrypt().key_id("k").send().await;
            assert!(kms.is_err());
            let taken = taken.load(Ordering::SeqCst);
            assert!(taken > 0 && taken < BUFFERS, "{status}: {taken} bytes were taken");
        }
    }
}
