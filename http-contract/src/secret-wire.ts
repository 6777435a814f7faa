import {
  type SecretChanged,
  type SecretRotation,
  type SecretSummary,
  secretPlaces,
} from '@aegis/core'
import { z } from 'zod'

export const secretPlace = z.enum(secretPlaces)

/** An entry of `GET /api/secrets`. There is no field for a value. */
export const secretSummary = z.object({
  name: z.string(),
  agents: z.array(z.string()),
  hosts: z.array(z.string()),
  places: z.array(secretPlace),
  /** Empty for one that is missing. */
  created_at: z.string(),
  updated_at: z.string(),
  state: z.enum(['intact', 'altered', 'missing']),
})

export const secretSummaries = z.array(secretSummary)

/** `PUT /api/secrets/:name` */
export const secretChanged = z.object({ secret: secretSummary, created: z.boolean() })

/** `POST /api/secrets/rotate` */
export const secretRotation = z.object({
  secrets: z.int().min(0),
  key: z.string(),
  is_key_new: z.boolean(),
  is_configured: z.boolean(),
})

type SecretSummaryWire = z.infer<typeof secretSummary>
type SecretChangedWire = z.infer<typeof secretChanged>
type SecretRotationWire = z.infer<typeof secretRotation>

export const secretSummaryToWire = (from: SecretSummary): SecretSummaryWire => ({
  name: from.name,
  agents: [...from.agents],
  hosts: [...from.hosts],
  places: [...from.places],
  created_at: from.createdAt,
  updated_at: from.updatedAt,
  state: from.state,
})

export const secretSummaryFromWire = (wire: SecretSummaryWire): SecretSummary => ({
  name: wire.name,
  agents: wire.agents,
  hosts: wire.hosts,
  places: wire.places,
  createdAt: wire.created_at,
  updatedAt: wire.updated_at,
  state: wire.state,
})

export const secretChangedToWire = (from: SecretChanged): SecretChangedWire => ({
  secret: secretSummaryToWire(from.secret),
  created: from.created,
})

export const secretChangedFromWire = (wire: SecretChangedWire): SecretChanged => ({
  secret: secretSummaryFromWire(wire.secret),
  created: wire.created,
})

export const secretRotationToWire = (from: SecretRotation): SecretRotationWire => ({
  secrets: from.secrets,
  key: from.key,
  is_key_new: from.isKeyNew,
  is_configured: from.isConfigured,
})

export const secretRotationFromWire = (wire: SecretRotationWire): SecretRotation => ({
  secrets: wire.secrets,
  key: wire.key,
  isKeyNew: wire.is_key_new,
  isConfigured: wire.is_configured,
})
