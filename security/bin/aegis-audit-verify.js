#!/usr/bin/env node
// Starts the verifier from its source where Node.js can read that, else from the bundle.
import { existsSync } from 'node:fs'

const source = new URL('../src/audit/verify-main.ts', import.meta.url)
const bundle = new URL('../../dist/aegis-audit-verify.js', import.meta.url)
const readsTypes = Number.parseInt(process.versions.node, 10) >= 24
await import(readsTypes && existsSync(source) ? source.href : bundle.href)
