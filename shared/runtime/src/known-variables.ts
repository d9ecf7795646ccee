/**
 * The variables of every service, so that one may be given those of another. Written by `npm run docs` from the
 * services' schemas, which this package cannot import; a test holds it against them.
 */
export const KNOWN_VARIABLES: ReadonlySet<string> = new Set([
  "MUSTER_DATA_DIR",
  "MUSTER_DEV",
  "MUSTER_DRAIN_MS",
  "MUSTER_ENABLE_USER_DATA_RECORDING",
  "MUSTER_ENABLE_USER_DATA_REDACTION",
  "MUSTER_GRACE_MS",
  "MUSTER_HOST",
  "MUSTER_JOB_LOAD_PERCENT",
  "MUSTER_KEYS",
  "MUSTER_LEASE_MS",
  "MUSTER_LOG_LEVEL",
  "MUSTER_MAX_ATTEMPTS",
  "MUSTER_MAX_JOBS_PER_WORKER",
  "MUSTER_MAX_LOAD_PERCENT",
  "MUSTER_OFFER_DEADLINE_MS",
  "MUSTER_OFFER_TIMEOUT_MS",
  "MUSTER_PING_INTERVAL_MS",
  "MUSTER_PORT",
  "MUSTER_REDIS_URL",
  "MUSTER_REGION",
  "MUSTER_REGISTER_TIMEOUT_MS",
  "MUSTER_RETENTION_MS",
  "MUSTER_SAMPLE_FLUSH_MS",
  "MUSTER_SILENCE_MS",
  "MUSTER_SILENT_JOB_BOUND_MS",
  "MUSTER_START_DEADLINE_MS",
  "MUSTER_TRANSPORT",
  "MUSTER_WAIT_BOUND_MS",
  "MUSTER_WORKER_LIVEKIT_URL",
  // Names the redis-server of the tests.
  "MUSTER_REDIS_SERVER",
]);
