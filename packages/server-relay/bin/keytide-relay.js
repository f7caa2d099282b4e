#!/usr/bin/env node
// In the repository, executable, so that a fresh install can link it before anything is compiled.
import '../dist/operate/keytide-relay.js';
