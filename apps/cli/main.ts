#!/usr/bin/env node
import { processIo } from './process-io.js';
import { runCli } from './run-cli.js';

const { io, finish } = processIo();
finish(await runCli(process.argv.slice(2), io));
