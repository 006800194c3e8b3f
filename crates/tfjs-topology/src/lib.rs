//! Keras topologies: typed layers, resolved flat graphs, shapes, weight slots, name binding; no tensor anywhere.
