//! The handler of a model in a `data:` URL: its JSON, or a whole model in an archive.

use crate::base::files::{BoxFuture, Opened};
use crate::base::url::ModelUrl;
use crate::model::cx::IoCx;
use crate::model::handler::{IoHandler, ModelArtifacts, WeightSource};
use crate::model::load::{Json, Origin, load};
use crate::place::data::{Data, NothingBeside};
use std::sync::Arc;
use tfjs_manifest::Result;

pub(crate) struct DataHandler {
    pub(crate) url: ModelUrl,
}

impl IoHandler for DataHandler {
    fn load<'a>(&'a self, cx: &'a IoCx) -> BoxFuture<'a, Result<ModelArtifacts>> {
        Box::pin(async move {
            let location = self.location();
            let data = Data::parse(self.url.as_url().unwrap_or_default(), &cx.options().limits);
            let Data { is_archive, bytes } = data.map_err(|e| e.in_file(&location))?;
            let opened = Opened::new(&location, bytes.into());
            let json = if is_archive { Json::Archive { opened, inside: None } } else { Json::Opened(opened) };
            let weights = WeightSource::Files(Arc::new(NothingBeside { location: location.clone() }));
            load(Origin { location, json, weights, query: Some("") }, cx).await
        })
    }

    fn location(&self) -> String {
        self.url.to_string()
    }
}
