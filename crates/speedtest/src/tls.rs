//! TLS: with raw public keys (RFC 7250) for our own protocol, a key and its pin, no certificate,
//! no name, no clock; with the web's certificates for ndt7.

use crate::url::{Host, Pin};
use crate::why::Why;
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring as provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer,
    UnixTime,
};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, ClientConnection, Connection, DigitallySignedStruct, Error, RootCertStore,
    ServerConfig, ServerConnection, SignatureScheme,
};
use sha2::{Digest, Sha256};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

/// The responder's side of every connection.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    config: Arc<ServerConfig>,
    pin: Pin,
}

impl Identity {
    /// A new key, as PKCS#8.
    pub(crate) fn generate() -> Result<Vec<u8>, Why> {
        Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map(|key| key.as_ref().to_vec())
            .map_err(|_| "the system gives no random numbers".into())
    }

    pub(crate) fn from_pkcs8(key: Vec<u8>) -> Result<Self, Why> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key));
        let key = provider::sign::any_supported_type(&key)
            .map_err(|error| Why::new(format!("not a private key: {error}")))?;
        let public = key.public_key().ok_or("the key has no public half")?;
        let pin = Pin(Sha256::digest(&public).into());
        let public = CertificateDer::from(public.to_vec());
        let certified = Arc::new(CertifiedKey::new(vec![public], key));
        let config = ServerConfig::builder_with_provider(crypto())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(broken)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified)));
        Ok(Self {
            config: Arc::new(config),
            pin,
        })
    }

    pub(crate) const fn pin(&self) -> Pin {
        self.pin
    }

    pub(crate) fn connection(&self) -> Result<Connection, Why> {
        ServerConnection::new(self.config.clone())
            .map(Connection::from)
            .map_err(broken)
    }
}

/// A connection to whoever owns the pinned key, and to nobody else.
pub(crate) fn pinned_client(pin: Pin) -> Result<Connection, Why> {
    let verifier = PinnedKey {
        pin,
        algorithms: crypto().signature_verification_algorithms,
    };
    let mut config = ClientConfig::builder_with_provider(crypto())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(broken)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.enable_sni = false;
    // The key is the name; this one is never sent.
    let name = ServerName::from(IpAddr::V4(Ipv4Addr::LOCALHOST));
    ClientConnection::new(Arc::new(config), name)
        .map(Connection::from)
        .map_err(broken)
}

/// A connection to whoever has a certificate for `host`, by the authorities that the system
/// trusts.
pub(crate) fn web_client(host: &Host, address: IpAddr) -> Result<Connection, Why> {
    let name = match host {
        Host::Name(name) => ServerName::try_from(name.clone())
            .map_err(|_| Why::new(format!("`{name}` is no name for a certificate")))?,
        Host::Address(_) | Host::Neighbour => ServerName::from(address),
    };
    let config = ClientConfig::builder_with_provider(crypto())
        .with_safe_default_protocol_versions()
        .map_err(broken)?
        .with_root_certificates(authorities()?)
        .with_no_client_auth();
    ClientConnection::new(Arc::new(config), name)
        .map(Connection::from)
        .map_err(broken)
}

/// Where systems keep the certificates that they trust.
const AUTHORITIES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// Those of `$SSL_CERT_FILE`, else of the system.
fn authorities() -> Result<RootCertStore, Why> {
    let said = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let path = said
        .or_else(|| {
            AUTHORITIES
                .into_iter()
                .map(PathBuf::from)
                .find(|path| path.exists())
        })
        .ok_or("no certificates to check the server's with: apt-get install ca-certificates")?;
    let read = CertificateDer::pem_file_iter(&path)
        .map_err(|error| Why::new(format!("{}: {error}", path.display())))?;
    let mut store = RootCertStore::empty();
    // One that is not understood does not cost the others.
    store.add_parsable_certificates(read.filter_map(Result::ok));
    if store.is_empty() {
        return Err(Why::new(format!(
            "{}: no certificate in it",
            path.display()
        )));
    }
    Ok(store)
}

fn crypto() -> Arc<CryptoProvider> {
    Arc::new(provider::default_provider())
}

fn broken(error: Error) -> Why {
    Why::new(format!("TLS: {error}"))
}

#[derive(Debug)]
struct PinnedKey {
    pin: Pin,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for PinnedKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let seen = Pin(Sha256::digest(end_entity).into());
        if seen == self.pin {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::General(format!(
                "the server's key is {seen}, not the pinned one: another server, or somebody in \
                 between"
            )))
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 knows no raw keys".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature_with_raw_key(
            message,
            &SubjectPublicKeyInfoDer::from(cert.as_ref()),
            dss,
            &self.algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
