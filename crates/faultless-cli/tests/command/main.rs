//! The command from outside: what it prints, what it leaves, and its exit status.
#![allow(clippy::unwrap_used)]

mod edit;
mod find;
mod inspect;
mod pages;
mod run;
mod shrink;
mod tail;
