//! What the embedded engine keeps beside conversions and deliveries.

use std::ops::Range;

use postback_core::{Conversion, ConversionId, Delivery, DeliveryId, Error, ports::Reservation};
use postback_proto::v1;
use postback_redb_file::{Failure, Step};
use prost::Message;

use crate::rules::{self, Class};

/// A delivery, with the lease that last ended on it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Kept {
    #[prost(message, optional, tag = "1")]
    delivery: Option<v1::Delivery>,
    /// The number of the lease that ended last; it is remembered so that ending it twice is once.
    #[prost(uint64, tag = "2")]
    pub(super) ended: u64,
    /// Whether that lease was given back, rather than settled.
    #[prost(bool, tag = "3")]
    pub(super) released: bool,
}

impl Kept {
    pub(super) fn new(delivery: &Delivery, ended: u64, released: bool) -> Self {
        Self { delivery: Some(delivery.into()), ended, released }
    }

    pub(super) fn delivery(self) -> Step<Delivery> {
        Delivery::try_from(self.delivery.unwrap_or_default()).map_err(unreadable)
    }
}

/// The state of a lane. A lane with nothing in it has no record.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Lane {
    #[prost(string, tag = "1")]
    pub(super) account: String,
    /// The deliveries in line, 16 bytes each, the head first.
    #[prost(bytes = "vec", tag = "2")]
    line: Vec<u8>,
    /// The number of the running lease; 0 where there is none.
    #[prost(uint64, tag = "3")]
    pub(super) lease: u64,
    /// When that lease runs out, in milliseconds.
    #[prost(int64, tag = "4")]
    pub(super) lease_ends: i64,
    /// Where the lane stands in the schedule; absent while its head is in doubt.
    #[prost(int64, optional, tag = "5")]
    pub(super) due: Option<i64>,
    /// Whether it stands among the retries.
    #[prost(bool, tag = "6")]
    pub(super) retry: bool,
    /// The lease that last marked the head as begun.
    #[prost(uint64, tag = "7")]
    pub(super) mark: u64,
    /// The mark that it found there, in milliseconds.
    #[prost(int64, optional, tag = "8")]
    pub(super) mark_before: Option<i64>,
}

impl Lane {
    pub(super) fn head(&self) -> Option<DeliveryId> {
        self.line.first_chunk().map(|id| DeliveryId::from_bytes(*id))
    }

    pub(super) fn len(&self) -> usize {
        self.line.len() / 16
    }

    pub(super) fn push(&mut self, id: DeliveryId) {
        self.line.extend_from_slice(id.as_bytes());
    }

    pub(super) fn pop(&mut self) {
        self.line.drain(..16.min(self.line.len()));
    }

    /// Moves the head behind another in line, and before the first of `later` that stands there.
    pub(super) fn step_behind(&mut self, lead: DeliveryId, later: &[DeliveryId]) {
        let Some(head) = self.head() else { return };
        self.pop();
        let line: Vec<_> = self.line.as_chunks().0.iter().map(|id| DeliveryId::from_bytes(*id)).collect();
        let behind = line.iter().position(|id| *id == lead).map_or(0, |place| place + 1);
        let before = line.iter().skip(behind).position(|id| later.contains(id));
        let place = 16 * before.map_or(line.len(), |place| behind + place);
        self.line.splice(place..place, head.as_bytes().iter().copied());
    }

    pub(super) fn class(&self) -> Class {
        if self.retry { Class::Retry } else { Class::Fresh }
    }
}

/// What is told of one conversion, recorded or awaited.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Folder {
    /// The deliveries, 16 bytes each, the conversion's own first.
    #[prost(bytes = "vec", tag = "1")]
    pub(super) told: Vec<u8>,
    /// How many of them are not settled.
    #[prost(uint32, tag = "2")]
    pub(super) open: u32,
    /// When the last of them was settled, in milliseconds.
    #[prost(int64, optional, tag = "3")]
    pub(super) settled: Option<i64>,
    /// The conversion's key: 16 bytes, or none.
    #[prost(bytes = "vec", tag = "4")]
    pub(super) key: Vec<u8>,
    /// Whether the conversion is recorded, so that the first delivery is its own.
    #[prost(bool, tag = "5")]
    pub(super) recorded: bool,
}

impl Folder {
    pub(super) fn told(&self) -> Vec<DeliveryId> {
        self.told.as_chunks().0.iter().map(|id| DeliveryId::from_bytes(*id)).collect()
    }

    pub(super) fn told_in(&self, ids: &Range<[u8; 16]>) -> Vec<[u8; 16]> {
        self.told.as_chunks().0.iter().filter(|id| ids.contains(*id)).copied().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.told.len() / 16
    }

    pub(super) fn lead(&self) -> Option<DeliveryId> {
        self.told.first_chunk().filter(|_| self.recorded).map(|id| DeliveryId::from_bytes(*id))
    }

    pub(super) fn push(&mut self, id: DeliveryId) {
        self.told.extend_from_slice(id.as_bytes());
    }

    pub(super) fn push_lead(&mut self, id: DeliveryId) {
        self.recorded = true;
        self.told.splice(..0, id.as_bytes().iter().copied());
    }

    pub(super) fn key(&self) -> Option<[u8; 16]> {
        self.key.as_slice().try_into().ok()
    }
}

/// What a conversion's key leads to.
#[derive(Clone, PartialEq, Message)]
pub(super) struct KeyEntry {
    /// The conversion that has the key, or will have it.
    #[prost(bytes = "vec", tag = "1")]
    conversion: Vec<u8>,
    /// What its caller said; empty while only changes came.
    #[prost(bytes = "vec", tag = "2")]
    pub(super) fingerprint: Vec<u8>,
}

impl KeyEntry {
    pub(super) fn new(conversion: ConversionId, fingerprint: &[u8]) -> Self {
        Self { conversion: conversion.as_bytes().to_vec(), fingerprint: fingerprint.to_vec() }
    }

    pub(super) fn conversion(&self) -> Step<ConversionId> {
        let id = self.conversion.as_slice().try_into();
        id.map(ConversionId::from_bytes).map_err(|_| unreadable(Error::internal("an id is not 16 bytes")))
    }
}

/// Reads a record.
pub(super) fn read<M: Message + Default>(bytes: &[u8]) -> Step<M> {
    rules::read(bytes).map_err(Failure::Broken)
}

/// Reads a reservation.
pub(super) fn reservation(bytes: &[u8]) -> Step<Reservation> {
    rules::reservation(bytes).map_err(Failure::Broken)
}

/// Reads a conversion.
pub(super) fn conversion(bytes: &[u8]) -> Step<Conversion> {
    Conversion::try_from(read::<v1::Conversion>(bytes)?).map_err(unreadable)
}

/// A record that can be decoded and says nothing sensible.
pub(super) fn unreadable(error: Error) -> Failure {
    Failure::Broken(rules::unreadable(error))
}
