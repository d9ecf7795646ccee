{{/* Owns which paths are Muster's, for Ingress and HTTPRoute: path, its type, and the service it goes to. */}}
{{- define "muster.routes" -}}
- { path: /agent, exact: true, service: gateway }
- { path: /twirp/livekit.AgentDispatchService, exact: false, service: api }
- { path: /v1, exact: false, service: api }
- { path: /webhook, exact: true, service: api }
{{- end }}

{{/* Where all else goes, as `{name, port}`: livekit-server where it is in our namespace, else the router, which reaches all. */}}
{{- define "muster.elsewhere" -}}
{{- with .Values.livekit -}}
{{- if and .serviceName (has .namespace (list "" $.Release.Namespace)) -}}
{ name: {{ .serviceName }}, port: {{ .servicePort }} }
{{- else if $.Values.router.enabled -}}
{ name: {{ include "muster.fullname" $ }}-router, port: {{ $.Values.router.service.port }} }
{{- end -}}
{{- end -}}
{{- end }}
