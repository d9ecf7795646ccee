{{/* Which service knows which settings. Written by `npm run docs` from their schemas: change those. */}}
{{- define "muster.settings" -}}
gateway: [httpKeepAliveMs, httpRequestMs, logLevel, leaseMs, graceMs, retentionMs, drainMs, transport, region, workerLivekitUrl, enableUserDataRecording, enableUserDataRedaction, jobLoadPercent, maxLoadPercent, maxJobsPerWorker, workerLabels, trustedProxies, maxNamespaces, registerTimeoutMs, offerTimeoutMs, offerTimeoutMaxMs, startDeadlineMs, sampleFlushMs, workBytesPerWorker, workBytes, jobMemoryBytes, unsentBytes, allowedOrigins, tokenGraceMs, pingIntervalMs, silenceMs]
dispatcher: [logLevel, leaseMs, drainMs, offerDeadlineMs, graceMs, startDeadlineMs, silentJobBoundMs, neverJoined, resumeWithoutEvidence, presenceRecheckMs, holdMs, retentionMs, livekitUrl]
api: [httpKeepAliveMs, httpRequestMs, logLevel, drainMs, waitBoundMs, maxAttempts, retentionMs, adoptUnnamed, maxNamespacesPerOrder, createRooms, shortJobMs, bodiesBytes, bodyMs, livekitCalls, eventStreams, eventStreamsPerToken, eventStreamsPerKey, rules, roomConfigurations, webhookKey, livekitUrl]
{{- end }}

{{/* Which times of a service hang together (shared/runtime/src/coupled-times.ts), with their defaults. */}}
{{- define "muster.coupledTimes" -}}
gateway: [{field: offerTimeoutMaxMs, default: 10000, than: offerTimeoutMs, thanDefault: 3000, part: 1, zeroIsOff: false}, {field: silenceMs, default: 30000, than: pingIntervalMs, thanDefault: 10000, part: 1, zeroIsOff: false}, {field: retentionMs, default: 86400000, than: graceMs, thanDefault: 35000, part: 1, zeroIsOff: false}]
dispatcher: [{field: holdMs, default: 5000, than: leaseMs, thanDefault: 3000, part: 3, zeroIsOff: true}, {field: retentionMs, default: 86400000, than: graceMs, thanDefault: 35000, part: 1, zeroIsOff: false}]
api: []
{{- end }}
