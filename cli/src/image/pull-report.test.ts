import type { PullProgress } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { aProgress } from '../testing/an-image.ts'
import { describePull } from './describe-pull.ts'
import { makePullReport } from './pull-report.ts'

const MiB = 1024 * 1024

describe('a pull in words', () => {
  it('names layers, bytes and the rate', () => {
    const report = makePullReport()
    report.now(aProgress(), 0)
    expect(report.now(aProgress({ downloadedBytes: 24 * MiB, layersDone: 2 }), 2000)).toBe(
      'pulling python:3.11: 2 of 3 layers, 24 MiB of 40 MiB, 12 MiB/s',
    )
  })

  it('says in each phase what is known then', () => {
    const nothing = { layers: 0, layersDone: 0, totalBytes: 0 }
    const texts = (
      ['resolving', 'downloading', 'extracting', 'converting', 'retrying', 'done'] as const
    ).map((phase) => describePull(aProgress({ phase, ...nothing }), undefined))
    expect(texts).toEqual([
      'resolving python:3.11',
      'pulling python:3.11',
      'unpacking python:3.11',
      'making a disk of python:3.11',
      'pulling python:3.11 again after a fault',
      'pulled python:3.11',
    ])
    expect(describePull(aProgress({ phase: 'extracting', layers: 1 }), undefined)).toBe(
      'unpacking python:3.11: 1 of 1 layer',
    )
  })

  it('tells once of a phase, and then every ten seconds, where lines stay', () => {
    const report = makePullReport()
    const tell = (phase: PullProgress['phase'], atMs: number) =>
      report.news(aProgress({ phase }), atMs) !== undefined
    const told = [
      tell('resolving', 0),
      tell('downloading', 100),
      tell('downloading', 9000),
      tell('downloading', 10_100),
      tell('extracting', 10_200),
      tell('downloading', 10_300),
      tell('extracting', 10_400),
      tell('retrying', 10_500),
      tell('retrying', 10_600),
      tell('done', 40_000),
    ]
    expect(told).toEqual([true, true, false, true, true, false, false, true, false, false])
  })
})
