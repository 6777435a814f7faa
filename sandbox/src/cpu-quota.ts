/** Microseconds of CPU per period, as the kernel's bandwidth control wants them. */
export interface CpuQuota {
  readonly quotaUs: number
  readonly periodUs: number
}

/** The kernel refuses quotas below one millisecond, so a tiny share gets a longer period. */
export function cpuQuota(millicores: number): CpuQuota {
  const periodUs = millicores < 10 ? 1_000_000 : 100_000
  return { quotaUs: Math.max(1000, Math.round((millicores * periodUs) / 1000)), periodUs }
}
