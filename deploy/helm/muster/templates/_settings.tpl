{{/* Which service knows which settings. Written by `npm run docs` from their schemas: change those. */}}
{{- define "muster.settings" -}}
gateway: [httpKeepAliveMs, logLevel, leaseMs, graceMs, retentionMs, drainMs, transport, region, workerLivekitUrl, enableUserDataRecording, enableUserDataRedaction, jobLoadPercent, maxLoadPercent, maxJobsPerWorker, workerLabels, trustedProxies, registerTimeoutMs, offerTimeoutMs, startDeadlineMs, sampleFlushMs, pingIntervalMs, silenceMs]
dispatcher: [logLevel, leaseMs, drainMs, offerDeadlineMs, graceMs, startDeadlineMs, silentJobBoundMs, resumeWithoutEvidence, presenceRecheckMs, holdMs, retentionMs, livekitUrl]
api: [httpKeepAliveMs, logLevel, drainMs, waitBoundMs, maxAttempts, retentionMs, createRooms, webhookKey, livekitUrl]
{{- end }}
