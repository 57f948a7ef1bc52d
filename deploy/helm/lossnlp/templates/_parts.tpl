{{- define "lossnlp.labels" -}}
app.kubernetes.io/name: lossnlp
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "lossnlp.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "lossnlp.pod" -}}
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: state
    emptyDir: {}
  - name: tmp
    emptyDir: {}
{{- if .Values.models.existingClaim }}
  - name: models
    persistentVolumeClaim: {claimName: {{ .Values.models.existingClaim }}, readOnly: true}
{{- end }}
{{- if .Values.tlsSecret }}
  - name: tls
    secret: {secretName: {{ .Values.tlsSecret }}}
{{- end }}
{{- end }}

{{- define "lossnlp.container" -}}
image: {{ include "lossnlp.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
envFrom:
  - secretRef: {name: {{ .Values.existingSecret }}}
env:
{{- range $name, $value := .Values.settings }}
  - {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
  - {name: LOSSNLP_PROCESSES, value: {{ .Values.service.processes | quote }}}
{{- if .Values.behindProxy }}
  - {name: LOSSNLP_BEHIND_PROXY, value: {{ .Values.behindProxy | quote }}}
{{- end }}
{{- if .Values.tlsSecret }}
  - {name: LOSSNLP_TLS_CERT, value: /tls/tls.crt}
  - {name: LOSSNLP_TLS_KEY, value: /tls/tls.key}
{{- end }}
volumeMounts:
  - {name: state, mountPath: /var/lib/lossnlp}
  - {name: tmp, mountPath: /tmp}
{{- if .Values.models.existingClaim }}
  - {name: models, mountPath: /models, readOnly: true}
{{- end }}
{{- if .Values.tlsSecret }}
  - {name: tls, mountPath: /tls, readOnly: true}
{{- end }}
{{- end }}
