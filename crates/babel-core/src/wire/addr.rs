//! Address encodings and prefix (de)compression.
