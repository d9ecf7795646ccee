{{/* Owns what the pods of gateways, dispatchers, apis and routers have in common. */}}

{{/* `own`: the values of the component, which win over the common ones. */}}
{{- define "muster.placement" -}}
{{- with .own.nodeSelector | default .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.tolerations | default .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.affinity | default .root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  - {{- toYaml (merge (dict) . (dict "labelSelector" (dict "matchLabels" (include "muster.selectorLabels" $ | fromYaml)))) | nindent 4 }}
  {{- end }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* No version among the labels: a new chart that changes nothing of a pod replaces none. */}}
{{- define "muster.podMetadata" -}}
labels:
  {{- include "muster.selectorLabels" . | nindent 2 }}
  {{- with .root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  {{- toYaml (merge (dict) .checksums .own.podAnnotations .root.Values.podAnnotations) | nindent 2 }}
{{- end }}

{{/* `node`: how an image without a shell waits. */}}
{{- define "muster.preStop" -}}
{{- with .root.Values.preStop }}
{{- if .seconds }}
lifecycle:
  preStop:
    {{- if or (eq .mode "sleep") (and (eq .mode "auto") (semverCompare ">=1.30.0-0" $.root.Capabilities.KubeVersion.Version)) }}
    sleep:
      seconds: {{ .seconds }}
    {{- else if eq $.component "router" }}
    exec:
      command: [sleep, {{ .seconds | quote }}]
    {{- else }}
    exec:
      command: [node, -e, {{ printf "setTimeout(() => {}, %d)" (mul .seconds 1000) | quote }}]
    {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "muster.probes" -}}
startupProbe:
  httpGet:
    path: /healthz
    port: {{ .port }}
  {{- toYaml .root.Values.probes.startup | nindent 2 }}
livenessProbe:
  httpGet:
    path: /healthz
    port: {{ .port }}
  {{- toYaml .root.Values.probes.liveness | nindent 2 }}
readinessProbe:
  httpGet:
    path: {{ .ready }}
    port: {{ .port }}
  {{- toYaml .root.Values.probes.readiness | nindent 2 }}
{{- end }}
