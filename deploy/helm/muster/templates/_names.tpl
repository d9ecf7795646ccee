{{/* Owns names and labels: what is called how, and by which labels it is found again. */}}

{{- define "muster.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* Short enough that every suffix still fits into a Service's 63 characters. */}}
{{- define "muster.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "muster.name" . -}}
{{- contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{/* Of a pod of `component`; never changes, as selectors must not. */}}
{{- define "muster.selectorLabels" -}}
app.kubernetes.io/name: {{ include "muster.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "muster.labels" -}}
{{ include "muster.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: muster
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "muster.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "muster.fullname" .) "default") -}}
{{- end }}

{{/* Host name of one of our Services, from everywhere in the cluster. */}}
{{- define "muster.serviceHost" -}}
{{ include "muster.fullname" .root }}-{{ .component }}.{{ .root.Release.Namespace }}.svc.{{ .root.Values.clusterDomain }}
{{- end }}

{{- define "muster.image" -}}
{{- $own := (index .root.Values .component).image -}}
{{- $repository := $own.repository | default (printf "%s-%s" .root.Values.image.repository .component) -}}
{{ $repository }}:{{ $own.tag | default .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{/* Scaled by somebody else: then a Deployment must not say how many. */}}
{{- define "muster.isScaled" -}}
{{- if or .autoscaling.enabled (dig "keda" "enabled" false .) }}true{{ end -}}
{{- end }}
