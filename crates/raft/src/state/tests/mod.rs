mod cluster;
mod script;
