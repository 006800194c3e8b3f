//! Weight files that arrive as streams, several at a time, copied to their destination chunk by chunk.
//!
//! Everything happens in the caller's task: segments are borrowed, and dropping the future stops all traffic. A stream
//! that is not polled does not receive data. Each file of a group passes the rest of the group's memory to the next
//! one: it takes its share as soon as its length is known, which is when its headers have arrived, long before its
//! body.
//!
//! The number of requests at a time is bounded by permits: a request holds one from before it is sent until its body
//! has ended. This cannot deadlock. Files are started in order, at most as many at a time as there are permits. A job
//! holds a permit while waiting only if it waits for its buffer. The first unfinished file does not wait for its
//! buffer, since the files before it have passed theirs on. So the waiting jobs never hold all permits, and at least
//! one permit serves jobs that have their buffers: the first file, and parts of files.

use super::parts::{Answer, Requests, Split};
use super::pieces::{Pieces, Room, not_as_announced};
use crate::base::files::{Body, BoxFuture, Files, OpenOptions, Opened, Purpose};
use crate::base::progress::Reporter;
use crate::base::stream::into_stream;
use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use std::pin::pin;
use std::sync::Arc;
use tfjs_manifest::{Error, GroupSink, Result};
use tokio::sync::oneshot;

/// Fetches all files; `opened` are the first files, which are open already.
pub(super) async fn fill(
    files: &Arc<dyn Files>,
    groups: &[Vec<String>],
    opened: Vec<Opened>,
    requests: &Requests,
    sinks: Vec<GroupSink<'_>>,
    reporter: &Reporter,
) -> Result<()> {
    let mut opened = opened.into_iter();
    // Boxed before they are buffered: the compiler cannot see that closures over borrows are general
    // enough inside a boxed future.
    let mut jobs: Vec<BoxFuture<'_, Result<()>>> = Vec::new();
    for (group, (paths, sink)) in groups.iter().zip(sinks).enumerate() {
        let mut room = Room::new(sink)?;
        if let Room::Exact(pieces) = &mut room {
            pieces.advise_huge();
        }
        let most = room.left();
        let size = room.needed();
        let (first, mut receive) = oneshot::channel();
        // Cannot fail: the receiver exists.
        let _ = first.send(room);
        for (i, path) in paths.iter().enumerate() {
            let (send, next) = oneshot::channel();
            let last = i + 1 == paths.len();
            let job = Job {
                files: &**files,
                reporter,
                path,
                group,
                requests,
                size,
                most,
                opened: opened.next(),
                receive: std::mem::replace(&mut receive, next),
                send: (!last).then_some(send),
            };
            jobs.push(Box::pin(job.run()));
        }
    }
    // Started in order, so that a file only waits for files that have been started before it.
    stream::iter(jobs).buffer_unordered(requests.at_once()).try_collect().await
}

/// One file.
struct Job<'a> {
    files: &'a dyn Files,
    reporter: &'a Reporter,
    path: &'a str,
    group: usize,
    requests: &'a Requests,
    /// The length of the group in bytes, if it is known.
    size: Option<u64>,
    /// The most bytes the whole group may have.
    most: u64,
    opened: Option<Opened>,
    /// The rest of the group's memory, after the share of the files before this one.
    receive: oneshot::Receiver<Room<'a>>,
    /// Sends the rest to the next file, if there is one.
    send: Option<oneshot::Sender<Room<'a>>>,
}

impl<'a> Job<'a> {
    async fn run(mut self) -> Result<()> {
        let permit = self.requests.permit().await?;
        let mut opened = match self.opened.take() {
            Some(opened) => opened,
            None => self.open(self.requests.first(self.size)).await?,
        };
        let mut answer = self.requests.judge(&opened);
        if matches!(answer, Answer::Useless) {
            drop(opened);
            opened = self.open(OpenOptions::new(Purpose::Weights)).await?;
            answer = Answer::Whole;
        }
        let Opened { location, len, body, .. } = opened;
        let name: Arc<str> = location.as_str().into();
        self.reporter.opened(&name);
        let body = Incoming::new(body, len, &name, self.reporter);
        let result = match (answer, len) {
            (Answer::Part { len, file_len, validator }, _) => {
                let Job { files, reporter, requests, path, group, .. } = self;
                let split = Split { files, reporter, requests, path, group, validator, file_len, name: name.clone() };
                match self.share(file_len).await {
                    Ok(share) => split.fetch(body, len, permit, share).await,
                    Err(e) => Err(e),
                }
            }
            (_, Some(len)) if self.size.is_some() => self.known(len, body).await,
            _ => self.unknown(len, body).await,
        };
        result.map_err(|e| e.in_file(&location))?;
        self.reporter.done(&name);
        Ok(())
    }

    async fn open(&mut self, options: OpenOptions) -> Result<Opened> {
        self.files.open(self.path, options).await.map_err(|e| e.in_file(self.files.location(self.path)))
    }

    /// Waits for the files before this one, takes memory for `len` bytes, and passes on the rest.
    async fn share(&mut self, len: u64) -> Result<Pieces<'a>> {
        let room = receive(&mut self.receive).await?;
        room.check(len, self.group)?;
        match room {
            Room::Exact(mut pieces) => {
                let share = pieces.take(len).unwrap_or_default();
                self.hand_on(Room::Exact(pieces))?;
                Ok(share)
            }
            Room::Growing { .. } => {
                Err(Error::bug("the size of a group is known, and its buffer is of the kind for unknown sizes"))
            }
        }
    }

    /// Fetches a file of known length: takes its share of the memory, passes on the rest, then reads.
    async fn known(&mut self, len: u64, mut body: Incoming<'_>) -> Result<()> {
        let mut share = self.share(len).await?;
        read_exactly(&mut share, len, self.group, &mut body).await
    }

    /// Fetches a file of unknown length, or of a group of unknown length. Until the files before it are complete, its
    /// offset is not known, so its body is buffered; then the buffer and the rest of the body are copied.
    async fn unknown(&mut self, len: Option<u64>, mut body: Incoming<'_>) -> Result<()> {
        let mut early: Vec<Bytes> = Vec::new();
        let mut count = 0u64;
        let mut over = false;
        let mut room = loop {
            if over {
                break receive(&mut self.receive).await?;
            }
            match select(pin!(receive(&mut self.receive)), pin!(body.next())).await {
                Either::Left((room, _)) => break room?,
                Either::Right((None, _)) => over = true,
                Either::Right((Some(chunk), _)) => {
                    let chunk = chunk?;
                    count += chunk.len() as u64;
                    // The buffer never exceeds the length of the whole group.
                    if count > self.most {
                        return Err(super::pieces::too_long(self.group, self.most, count));
                    }
                    early.push(chunk);
                }
            }
        };
        for chunk in early {
            room.write(&chunk, self.group)?;
        }
        room.check(len.unwrap_or(0).saturating_sub(count), self.group)?;
        while !over {
            match body.next().await {
                None => over = true,
                Some(chunk) => {
                    let chunk = chunk?;
                    count += chunk.len() as u64;
                    room.write(&chunk, self.group)?;
                }
            }
        }
        if let Some(len) = len.filter(|&len| len != count) {
            return Err(not_as_announced(self.group, len, count, false));
        }
        self.hand_on(room)
    }

    /// Passes the rest of the group's memory to the next file, or checks that the group is complete.
    fn hand_on(&mut self, room: Room<'a>) -> Result<()> {
        match self.send.take() {
            // If the receiver is gone, its job has failed, and that error is reported.
            Some(send) => drop(send.send(room)),
            None => room.check_complete(self.group)?,
        }
        Ok(())
    }
}

/// Receives the rest of the group's memory.
async fn receive<'a>(receiver: &mut oneshot::Receiver<Room<'a>>) -> Result<Room<'a>> {
    receiver.await.map_err(|_| Error::fetch("cancelled, because a file before this one failed"))
}

/// Fills the share with a body of the same length.
pub(super) async fn read_exactly(
    share: &mut Pieces<'_>,
    len: u64,
    group: usize,
    body: &mut Incoming<'_>,
) -> Result<()> {
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        let found = chunk.len() as u64;
        if found > share.len() {
            return Err(not_as_announced(group, len, len - share.len() + found, true));
        }
        share.write(&chunk);
    }
    if share.len() > 0 {
        return Err(not_as_announced(group, len, len - share.len(), false));
    }
    Ok(())
}

/// A body that reports its progress.
pub(super) struct Incoming<'a> {
    stream: BoxStream<'static, Result<Bytes>>,
    name: Arc<str>,
    reporter: &'a Reporter,
}

impl<'a> Incoming<'a> {
    pub(super) fn new(body: Body, len: Option<u64>, name: &Arc<str>, reporter: &'a Reporter) -> Self {
        Incoming { stream: into_stream(body, len), name: name.clone(), reporter }
    }

    /// The next chunk. May be dropped and called again without losing one.
    async fn next(&mut self) -> Option<Result<Bytes>> {
        let chunk = self.stream.next().await;
        if let Some(Ok(chunk)) = &chunk {
            self.reporter.bytes(&self.name, chunk.len() as u64);
        }
        chunk
    }
}
