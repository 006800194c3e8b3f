//! The schemes of object stores.

use crate::base::files::Files;
use crate::base::url::ModelUrl;
use crate::model::archive_at;
use crate::model::cx::IoCx;
use crate::model::handler::IoHandler;
use crate::model::handlers::object::{ObjectHandler, cloud_config};
use crate::model::scheme::Scheme;
use crate::place::object::{BucketUrl, ObjectScheme};
use std::sync::Arc;
use tfjs_manifest::Result;

impl Scheme for ObjectScheme {
    fn handler(&self, url: &ModelUrl) -> Result<Arc<dyn IoHandler>> {
        // Also checks the URL of an archive, which must be a valid object URL too.
        let handler = ObjectHandler::new(self.clone(), url)?;
        Ok(archive_at(url)?.unwrap_or_else(|| Arc::new(handler)))
    }

    /// The query belongs to the URL of a model at another place, and is ignored: keys have no query.
    fn files(&self, folder: &ModelUrl, _query: &str, cx: &IoCx) -> Result<Arc<dyn Files>> {
        let files = self.files_at(&BucketUrl::parse(folder)?, &cloud_config(cx));
        Ok(Arc::new(files.map_err(|e| e.in_file(folder))?))
    }
}
