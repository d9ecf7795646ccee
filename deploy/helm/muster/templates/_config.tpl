{{/*
Owns what a service is told by its ConfigMap: its settings as MUSTER_* variables. Never holds a secret: those are named by
the Deployment (_secrets.tpl).
*/}}

{{/* workerLivekitUrl → MUSTER_WORKER_LIVEKIT_URL */}}
{{- define "muster.variable" -}}
MUSTER_{{ snakecase . | upper }}
{{- end }}

{{/* As Muster reads it: Helm would write 86400000 as 8.64e+07. */}}
{{- define "muster.settingValue" -}}
{{- kindIs "float64" . | ternary (printf "%.0f" (kindIs "float64" . | ternary . 0.0)) (toString .) -}}
{{- end }}

{{/* Where Muster reaches livekit-server; empty where none is known. */}}
{{- define "muster.livekitUrl" -}}
{{- with .Values.livekit -}}
{{- if and .url .serviceName }}{{ fail "livekit.url: not together with livekit.serviceName; one of them says where livekit-server is" }}{{ end -}}
{{- if .url -}}
{{- .url | trimSuffix "/" -}}
{{- else if .serviceName -}}
http://{{ .serviceName }}.{{ .namespace | default $.Release.Namespace }}.svc.{{ $.Values.clusterDomain }}:{{ .servicePort }}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "muster.config" -}}
{{- include "muster.checkTimes" . -}}
{{- $own := index .root.Values .component -}}
{{- $known := include "muster.settings" . | fromYaml -}}
{{- $all := merge (dict) $own.muster .root.Values.muster -}}
MUSTER_PORT: {{ $own.service.port | quote }}
{{- $livekit := include "muster.livekitUrl" .root }}
{{- if and $livekit (has "livekitUrl" (index $known .component)) }}
MUSTER_LIVEKIT_URL: {{ $livekit | quote }}
{{- end }}
{{- range $key, $value := $all }}
{{- if has $key (index $known $.component) }}
{{ include "muster.variable" $key }}: {{ include "muster.settingValue" $value | quote }}
{{- end }}
{{- end }}
{{- end }}
