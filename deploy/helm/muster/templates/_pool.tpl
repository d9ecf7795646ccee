{{/* Owns what an agent pool is called and what it is made of. */}}

{{- define "muster.poolName" -}}
{{ include "muster.fullname" .root }}-agent-{{ .name }}
{{- end }}

{{- define "muster.poolSelectorLabels" -}}
{{ include "muster.selectorLabels" (dict "root" .root "component" "agent") }}
muster/agent-pool: {{ .name }}
{{- end }}

{{- define "muster.poolLabels" -}}
{{ include "muster.labels" (dict "root" .root "component" "agent") }}
muster/agent-pool: {{ .name }}
{{- end }}

{{/* The pool's values over those that all pools have, as YAML. */}}
{{- define "muster.pool" -}}
{{- $pool := mergeOverwrite (deepCopy .root.Values.agentPoolDefaults) (deepCopy .given) -}}
{{- if not $pool.image.repository }}{{ fail (printf "agentPools.%s.image.repository: must name the image of your workers" .name) }}{{ end -}}
{{- toYaml $pool -}}
{{- end }}

{{- define "muster.poolUrl" -}}
{{- if .pool.livekitUrl -}}
{{ .pool.livekitUrl }}
{{- else if .root.Values.router.enabled -}}
ws://{{ include "muster.serviceHost" (dict "root" .root "component" "router") }}:{{ .root.Values.router.service.port }}
{{- else -}}
{{ fail (printf "agentPools.%s.livekitUrl: is needed without router.enabled: where its workers find Muster" .name) }}
{{- end -}}
{{- end }}

{{- define "muster.poolSecret" -}}
{{- if .pool.credentials.existingSecret -}}
{{ .pool.credentials.existingSecret }}
{{- else if and .root.Values.storeKeysInSecret.enabled .root.Values.storeKeysInSecret.keys -}}
{{ include "muster.keysSecret" .root }}
{{- else -}}
{{ fail (printf "agentPools.%s.credentials.existingSecret: must name a Secret with %s and %s" .name .pool.credentials.apiKeyKey .pool.credentials.apiSecretKey) }}
{{- end -}}
{{- end }}

{{/* KEDA asks the api itself: it may be in another namespace, and needs no router. */}}
{{- define "muster.scalingUrl" -}}
{{- $agent := .pool.agentName | default .name | urlquery | replace "+" "%20" -}}
{{- $query := list -}}
{{- range $name, $value := dict "namespace" .pool.keda.namespace "deployment" .pool.keda.deployment "type" .pool.keda.type "headroom" .pool.keda.headroom "headroom_slots" .pool.keda.headroomSlots "slots_per_worker" .pool.keda.slotsPerWorker -}}
{{- if $value }}{{ $query = append $query (printf "%s=%s" $name (toString $value | urlquery)) }}{{ end -}}
{{- end -}}
http://{{ include "muster.serviceHost" (dict "root" .root "component" "api") }}:{{ .root.Values.api.service.port }}/v1/scaling/{{ $agent }}{{ with $query }}?{{ join "&" . }}{{ end }}
{{- end }}

{{- define "muster.poolProbe" -}}
httpGet:
  path: /
  port: health
{{ toYaml . }}
{{- end }}
