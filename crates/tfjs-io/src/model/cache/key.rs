//! Decides which URLs name the same model: they are normalized, without credentials and signatures.
//!
//! A key selects the record; the validator in the record decides whether it is still the model at the URL. So an
//! unnecessary parameter in the key costs a download, and a missing one costs a conditional request.

use super::hash::Sha256;

/// Query parameters that hold credentials, in lower case.
const WHO: &[&str] = &["access_token", "api_key", "apikey", "token"];

/// Prefixes of the parameters of Amazon's and Google's signatures (version 4).
const SIGNED: &[&str] = &["x-amz-", "x-goog-"];

/// Parameters of older signatures and of CloudFront's. They count only if there is a `Signature` parameter.
const BESIDE_SIGNATURE: &[&str] =
    &["awsaccesskeyid", "expires", "googleaccessid", "hash-algorithm", "key-pair-id", "policy", "signature"];

/// Parameters of Azure's shared access signatures. They count only if there is a `sig` parameter.
const BESIDE_SIG: &[&str] = &[
    "saoid", "scid", "sdd", "se", "si", "sig", "sip", "ske", "skoid", "sks", "skt", "sktid", "skv", "sp", "spr", "sr",
    "srt", "ss", "st", "suoid", "sv",
];

/// The key of a model: a hash of its URL and of the URL of its weights.
pub(super) fn entry(json_url: &str, weights_url: &str) -> Sha256 {
    Sha256::of(format!("{}\n{}", canonical(json_url), canonical(weights_url)).as_bytes())
}

/// The hash of a normalized URL.
pub(super) fn url(url: &str) -> Sha256 {
    Sha256::of(canonical(url).as_bytes())
}

/// The normalized URL, without credentials, signature and fragment.
fn canonical(url: &str) -> String {
    let url = url.split('#').next().unwrap_or(url);
    let (whole, query) = url.split_once('?').unwrap_or((url, ""));
    let mut out = match whole.split_once("://") {
        None => whole.to_owned(),
        Some((scheme, rest)) => {
            let scheme = scheme.to_ascii_lowercase();
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit('@').next().unwrap_or(authority);
            let (host, path) = match scheme.as_str() {
                "http" => (host.strip_suffix(":80").unwrap_or(host).to_ascii_lowercase(), path),
                "https" => (host.strip_suffix(":443").unwrap_or(host).to_ascii_lowercase(), path),
                // The authority of other schemes may be case-sensitive.
                _ => (host.to_owned(), path),
            };
            format!("{scheme}://{host}{}", if path.is_empty() { "/" } else { path })
        }
    };
    let pairs: Vec<(&str, String)> = query.split('&').map(|pair| (pair, name_of(pair))).collect();
    let has = |name: &str| pairs.iter().any(|(_, n)| n == name);
    let (signature, sig) = (has("signature"), has("sig"));
    let mut separator = '?';
    for (pair, name) in &pairs {
        let name = name.as_str();
        let secret = WHO.contains(&name)
            || SIGNED.iter().any(|prefix| name.starts_with(prefix))
            || (signature && BESIDE_SIGNATURE.contains(&name))
            || (sig && BESIDE_SIG.contains(&name));
        if !pair.is_empty() && !secret {
            out.push(separator);
            out.push_str(pair);
            separator = '&';
        }
    }
    out
}

fn name_of(pair: &str) -> String {
    pair.split('=').next().unwrap_or(pair).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[track_caller]
    fn check(url: &str, expected: &str) {
        assert_eq!(canonical(url), expected, "{url}");
    }

    #[test]
    fn one_spelling() {
        check("HTTPS://H.example:443/M/model.json#x", "https://h.example/M/model.json");
        check("http://h:80?v=1", "http://h/?v=1");
        check("http://h:8080/m", "http://h:8080/m");
        check("s3://Bucket/M/model.json", "s3://Bucket/M/model.json");
        check("http://h/m?", "http://h/m");
    }

    #[test]
    fn without_credentials_and_signatures() {
        check("https://me:p%40w@h/m?v=2&token=abc&a", "https://h/m?v=2&a");
        check("https://h/m?X-Amz-Date=1&x-amz-signature=2&versionId=3", "https://h/m?versionId=3");
        check("https://h/m?X-Goog-Signature=2&generation=3", "https://h/m?generation=3");
        check("https://h/m?Expires=1&Signature=2&Key-Pair-Id=3", "https://h/m");
        check("https://h/m?sv=1&sp=r&se=2&sig=3&snapshot=4", "https://h/m?snapshot=4");
    }

    // Without a signature, `sp` or `Expires` may select the model.
    #[test]
    fn what_only_looks_like_a_signature_stays() {
        check("https://h/m?sp=1&se=2&Expires=3", "https://h/m?sp=1&se=2&Expires=3");
        check("https://h/m?v=1&v=2", "https://h/m?v=1&v=2");
    }
}
