import { describe } from 'vitest'
import type { ContractScene } from './contract-scene.ts'

export function describeImages(_scene: ContractScene): void {
  describe('images', () => {})
}
