package badgerstore

const salvageMarker = "SALVAGE"
