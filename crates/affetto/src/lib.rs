//! Music you can steer by feeling.
