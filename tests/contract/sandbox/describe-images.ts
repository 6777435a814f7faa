import { describe } from 'vitest'
import type { HostScene } from '../hosts/host-scene.ts'

export function describeImages(_scene: HostScene): void {
  describe('images', () => {})
}
