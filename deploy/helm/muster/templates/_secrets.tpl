{{/* Owns where secrets come from: the variables that name Secrets, and never a value of one. */}}

{{- define "muster.keysSecret" -}}
{{- $keys := .Values.storeKeysInSecret -}}
{{- if and $keys.existingSecret $keys.keys }}{{ fail "storeKeysInSecret.keys: not together with storeKeysInSecret.existingSecret" }}{{ end -}}
{{- if not (or $keys.existingSecret $keys.keys) }}{{ fail "storeKeysInSecret: Muster needs API keys: name a Secret with existingSecret, or give keys" }}{{ end -}}
{{- $keys.existingSecret | default (printf "%s-keys" (include "muster.fullname" .)) -}}
{{- end }}

{{/* What the chart's own Secret holds: all keys for Muster, and the first for agent pools. */}}
{{- define "muster.keysData" -}}
{{- $keys := .Values.storeKeysInSecret.keys -}}
{{- $first := keys $keys | sortAlpha | first -}}
{{ .Values.storeKeysInSecret.existingSecretKey }}: |
{{- range $key, $secret := $keys }}
  {{ $key }}: {{ $secret }}
{{- end }}
LIVEKIT_API_KEY: {{ $first | quote }}
LIVEKIT_API_SECRET: {{ index $keys $first | quote }}
{{- end }}

{{/* Empty where nobody is told. */}}
{{- define "muster.webhooksSecret" -}}
{{- with .Values.webhooks -}}
{{- if and .urls .existingSecret }}{{ fail "webhooks.urls: not together with webhooks.existingSecret" }}{{ end -}}
{{- .existingSecret | default (.urls | empty | ternary "" (printf "%s-webhooks" (include "muster.fullname" $))) -}}
{{- end -}}
{{- end }}

{{/* Of the Secrets that the chart makes: pods are replaced when one changes. Those that are there already it cannot read. */}}
{{- define "muster.secretChecksums" -}}
{{- if and .root.Values.storeKeysInSecret.enabled .root.Values.storeKeysInSecret.keys }}
checksum/keys: {{ include "muster.keysData" .root | sha256sum }}
{{- end }}
{{- if and (eq .component "api") .root.Values.webhooks.urls }}
checksum/webhooks: {{ .root.Values.webhooks.urls | join "\n" | sha256sum }}
{{- end }}
{{- end }}

{{- define "muster.fromSecret" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end }}

{{/* The redis url: whole from a Secret, or as it is given, with the password put in by Kubernetes. */}}
{{- define "muster.redisEnv" -}}
{{- with .Values.redis }}
{{- if and .url .existingSecret }}{{ fail "redis.url: not together with redis.existingSecret, which holds a whole url" }}{{ end }}
{{- if not (or .url .existingSecret) }}{{ fail "redis.url: Muster needs a Redis: give its url, or a Secret that holds it as redis.existingSecret" }}{{ end }}
{{- $asks := contains "$(REDIS_PASSWORD)" .url }}
{{- if and $asks (not .password.existingSecret) }}{{ fail "redis.password.existingSecret: redis.url asks for $(REDIS_PASSWORD), so a Secret must hold it" }}{{ end }}
{{- if and .password.existingSecret (not $asks) }}{{ fail "redis.url: must have $(REDIS_PASSWORD) where the password of redis.password.existingSecret belongs" }}{{ end }}
{{- if .existingSecret }}
{{ include "muster.fromSecret" (dict "name" "MUSTER_REDIS_URL" "secret" .existingSecret "key" .existingSecretKey) }}
{{- else }}
{{- if $asks }}
{{ include "muster.fromSecret" (dict "name" "REDIS_PASSWORD" "secret" .password.existingSecret "key" .password.existingSecretKey) }}
{{- end }}
- name: MUSTER_REDIS_URL
  value: {{ .url | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* Dispatchers need keys only to ask livekit-server with. */}}
{{- define "muster.secretEnv" -}}
{{- $values := .root.Values }}
{{- include "muster.redisEnv" .root }}
{{- $asksLivekit := and (ne .component "gateway") (include "muster.livekitUrl" .root) }}
{{- $own := and $asksLivekit $values.livekit.existingSecret }}
{{- if $own }}
{{ include "muster.fromSecret" (dict "name" "MUSTER_LIVEKIT_KEYS" "secret" $values.livekit.existingSecret "key" $values.livekit.existingSecretKey) }}
{{- end }}
{{- if and $values.storeKeysInSecret.enabled (or (ne .component "dispatcher") (and $asksLivekit (not $own))) }}
{{ include "muster.fromSecret" (dict "name" "MUSTER_KEYS" "secret" (include "muster.keysSecret" .root) "key" $values.storeKeysInSecret.existingSecretKey) }}
{{- end }}
{{- $webhooks := include "muster.webhooksSecret" .root }}
{{- if and $webhooks (eq .component "api") }}
{{ include "muster.fromSecret" (dict "name" "MUSTER_WEBHOOK_URLS" "secret" $webhooks "key" $values.webhooks.existingSecretKey) }}
{{- end }}
{{- end }}
