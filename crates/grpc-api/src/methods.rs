//! The methods of the contract, each with the scope that it wants.

use postback_access::Scope::{self, Operate, Read, Report};

/// What every path of the contract begins with.
const PACKAGE: &str = "/postback.v1.";

/// Service and method, and what a caller must be let do.
const METHODS: [(&str, Scope); 27] = [
    ("ClickService/CaptureClick", Report),
    ("ClickService/GetClick", Read),
    ("ClickService/AttachUser", Report),
    ("ClickService/FindClicks", Read),
    ("ClickService/ListClicks", Read),
    ("ClickService/GetLink", Read),
    ("ClickService/Erase", Operate),
    ("ConversionService/RecordConversion", Report),
    ("ConversionService/RecordConversions", Report),
    ("ConversionService/ChangeConversionStatus", Report),
    ("ConversionService/GetConversion", Read),
    ("ConversionService/ListConversions", Read),
    ("DeliveryService/ListDeliveries", Read),
    ("DeliveryService/GetDelivery", Read),
    ("DeliveryService/ReplayDelivery", Operate),
    ("DeliveryService/ResolveDelivery", Operate),
    ("DeliveryService/ReplayDeliveries", Operate),
    ("DeliveryService/ResolveDeliveries", Operate),
    ("DeliveryService/PauseAccount", Operate),
    ("DeliveryService/ResumeAccount", Operate),
    ("DeliveryService/GetStats", Read),
    ("DeliveryService/WatchDeliveries", Read),
    ("LogbookService/GetHistory", Read),
    ("LogbookService/ListActions", Read),
    ("NetworkService/FetchNetworkClick", Read),
    ("NetworkService/GetFlow", Read),
    ("NetworkService/GetOffer", Read),
];

/// How many methods there are.
pub(crate) const MANY: usize = METHODS.len();

/// A method's place among all; none for a path that is none of this contract.
pub(crate) fn place(path: &str) -> Option<usize> {
    let method = path.strip_prefix(PACKAGE)?;
    METHODS.iter().position(|(known, _)| *known == method)
}

/// The name for a label of the method at this place; every path that is none of this contract has one name.
pub(crate) fn name_of(place: Option<usize>) -> &'static str {
    place.map_or("other", |place| METHODS[place].0)
}

/// A method's name for a label.
pub(crate) fn name(path: &str) -> &'static str {
    name_of(place(path))
}

/// What a caller of this path must be let do; nothing for health. A path that is not known wants the most.
pub(crate) fn scope(path: &str) -> Option<Scope> {
    if path.starts_with("/grpc.health.v1.Health/") {
        return None;
    }
    if path.starts_with("/grpc.reflection.") {
        return Some(Read);
    }
    Some(place(path).map_or(Operate, |place| METHODS[place].1))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message;
    use prost_types::FileDescriptorSet;

    use super::*;

    #[test]
    fn every_method_of_the_contract_has_its_scope() {
        let set = FileDescriptorSet::decode(postback_proto::DESCRIPTORS).unwrap();
        let services =
            set.file.iter().filter(|file| file.package() == "postback.v1").flat_map(|file| &file.service);
        let served: BTreeSet<String> = services
            .flat_map(|service| {
                service.method.iter().map(|method| format!("{}/{}", service.name(), method.name()))
            })
            .collect();
        let known: BTreeSet<String> = METHODS.iter().map(|(method, _)| (*method).to_owned()).collect();
        assert_eq!(known.len(), METHODS.len(), "a method twice");
        assert_eq!(known, served);
    }

    #[test]
    fn a_path_of_another_is_one_label_and_wants_the_most() {
        assert_eq!(name("/postback.v1.ClickService/GetClick"), "ClickService/GetClick");
        assert_eq!(scope("/postback.v1.ClickService/GetClick"), Some(Read));
        for path in
            ["/", "/postback.v1.ClickService/Made.Up", "/postback.v1.X/GetClick", "/ClickService/GetClick"]
        {
            assert_eq!((name(path), scope(path)), ("other", Some(Operate)));
        }
        assert_eq!(scope("/grpc.health.v1.Health/Check"), None);
        assert_eq!(scope("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"), Some(Read));
    }
}
