//! Uploads bodies to objects: small ones in one request, large ones in several concurrent parts.

use super::files::ObjectFiles;
use crate::base::files::Body;
use crate::base::stream::into_stream;
use bytes::Bytes;
use futures_util::stream::{BoxStream, Fuse, FuturesUnordered};
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};
use tfjs_manifest::{Error, Result};
use tokio::runtime::Handle;

/// Length of a part in bytes. Stores accept 10 000 parts, of at least 5 MiB each.
const PART: usize = 16 << 20;

/// Most concurrent parts of one object; these are in memory.
const AT_ONCE: usize = 4;

/// Writes an object, completely or not at all: after an error it is as it was before. `shown` is the key in messages.
pub(super) async fn upload(files: &ObjectFiles, key: &Path, shown: &Path, body: Body) -> Result<()> {
    let error = |e: object_store::Error| files.error(&e, shown);
    let mut source = Source { body: into_stream(body, None).fuse(), rest: Bytes::new() };
    let first = source.part().await?;
    if first.content_length() < PART {
        return files.store.put(key, first).await.map(drop).map_err(error);
    }
    let mut parts = Parts(Some(files.store.put_multipart(key).await.map_err(error)?));
    let sent = parts.send(first, &mut source, &error).await;
    if sent.is_err() {
        parts.abort().await;
    }
    sent
}

/// A body, cut into parts.
struct Source {
    /// Fused, because it is polled again after its end.
    body: Fuse<BoxStream<'static, Result<Bytes>>>,
    /// Bytes read beyond the end of the last part.
    rest: Bytes,
}

impl Source {
    /// The next part; shorter than [`PART`] only at the end.
    async fn part(&mut self) -> Result<PutPayload> {
        let mut pieces = Vec::new();
        let mut left = PART;
        while left > 0 {
            if self.rest.is_empty() {
                match self.body.next().await {
                    Some(chunk) => self.rest = chunk?,
                    None => break,
                }
            }
            let piece = self.rest.split_to(self.rest.len().min(left));
            left -= piece.len();
            pieces.push(piece);
        }
        Ok(PutPayload::from_iter(pieces))
    }
}

/// An upload in parts. The store keeps the parts until it is completed or aborted.
struct Parts(Option<Box<dyn MultipartUpload>>);

impl Parts {
    async fn send(
        &mut self,
        first: PutPayload,
        source: &mut Source,
        error: &impl Fn(object_store::Error) -> Error,
    ) -> Result<()> {
        let Some(upload) = &mut self.0 else {
            return Err(Error::bug("an upload was continued after its end"));
        };
        let mut sending = FuturesUnordered::new();
        let mut part = first;
        while part.content_length() > 0 {
            while sending.len() >= AT_ONCE {
                sending.try_next().await.map_err(error)?;
            }
            // The order of the calls is the order of the parts.
            sending.push(upload.put_part(part));
            part = source.part().await?;
        }
        while sending.try_next().await.map_err(error)?.is_some() {}
        upload.complete().await.map_err(error)?;
        self.0 = None;
        Ok(())
    }

    async fn abort(&mut self) {
        if let Some(mut upload) = self.0.take() {
            // The caller gets the first error.
            let _ = upload.abort().await;
        }
    }
}

/// Aborts the upload in a task, so that no parts are left in the store, if there is a runtime.
impl Drop for Parts {
    fn drop(&mut self) {
        if let (Some(mut upload), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(async move { upload.abort().await });
        }
    }
}
